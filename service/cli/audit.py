"""The commands about the journal as proof: audit verify, checkpoint, prove, export and the rest."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from junmai_svc.service.cli.command import (
    PATH,
    configuration,
    journal_option,
    with_json,
)
from junmai_svc.service.cli.naming import stores_options
from junmai_svc.service.exits import DONE, FINDINGS, exit_code

if TYPE_CHECKING:
    from junmai_svc.service.audit.verify import Audit
    from junmai_svc.service.stores import Named
    from junmai_svc.storage.journal.journal import Journal

_OUTSIDE_HINT = "Who has nothing but a store names the public key of the journal: --key FILE."


@click.group(short_help="Verify the journal, publish and prove it.")
def audit() -> None:
    """Keep the journal as proof: sign and publish it, verify it, prove single events.

    \b
    junmai-svc audit verify
    junmai-svc audit verify --store s3://bucket/prefix --key journal.pub --pin seen
    junmai-svc audit checkpoint --publish
    """


@audit.command(short_help="Is the journal what it was?")
@click.option("--key", type=PATH, help="A file with the public key to trust.")
@click.option(
    "--pin", type=PATH, help="The checkpoint that was seen last; moved on if all is well."
)
@click.option("--proof", type=PATH, help="Check this proof of one event instead.")
@click.option("--read-data", is_flag=True, help="Read every byte of the snapshots and tiles too.")
@with_json
@stores_options
@click.pass_context
def verify(
    ctx: click.Context,
    *,
    key: Path | None,
    pin: Path | None,
    proof: Path | None,
    read_data: bool,
    stores: "list[Named]",
    as_json: bool,
) -> int:
    """Answer six questions, each with the first position concerned; exit code 3 where one fails.

    With --store and --key, and no --journal, nothing else is needed: no journal, no configuration.
    Otherwise the local journal is looked at, with the stores named, the configured ones, or
    `backups` beside it.

    \b
    authentic     all that is signed was signed by a key that is trusted
    intact        every entry is what its hash says, and all are what was signed
    append-only   what was signed earlier is the beginning of what is there now
    current       nothing that was published is missing at the end
    complete      streams have no gaps, and what was begun was ended
    objects       the snapshots are there, and each is explained by an event
    """
    from junmai_svc.service import report
    from junmai_svc.service.report import audit as report_audit
    from junmai_svc.service.views import audit as views_audit

    if proof is not None:
        if key is None:
            raise click.UsageError("Name the public key with --key.")
        return _verify_proof(proof, key, as_json=as_json)
    if key is not None and stores and ctx.find_root().obj["journal"] is None:
        found = _verify_outside(ctx, stores, key, pin, read_data=read_data)
    else:
        found = _verify_here(ctx, stores, key, pin, read_data=read_data)
    view = views_audit.audit_view(found)
    (report.show_json if as_json else report_audit.show_audit)(view)
    if not found.passed:
        return FINDINGS
    return exit_code(found.down[0].problem) if found.down else DONE


def _verify_here(
    ctx: click.Context,
    stores: "list[Named]",
    key: Path | None,
    pin: Path | None,
    *,
    read_data: bool,
) -> "Audit":
    from junmai_svc.service.audit.stores import named_for, opened, published_places
    from junmai_svc.service.audit.verify import verify_journal
    from junmai_svc.service.settings import existing_journal
    from junmai_svc.storage.errors import NotFoundError

    loaded = configuration(ctx)
    try:
        path = existing_journal(journal_option(ctx))
    except NotFoundError as none:
        if not stores or key is not None:
            raise
        raise NotFoundError(none.message, f"{none.hint} {_OUTSIDE_HINT}") from none
    named = named_for(path, stores, loaded, published_places(path))
    with opened(named, loaded) as found:
        return verify_journal(
            path,
            found.stores,
            key=key,
            pin=pin,
            read_data=read_data,
            down=found.down,
            places=found.places,
        )


def _verify_outside(
    ctx: click.Context, stores: "list[Named]", key: Path, pin: Path | None, *, read_data: bool
) -> "Audit":
    from junmai_svc.service.audit.outside import verify_store
    from junmai_svc.service.audit.stores import opened
    from junmai_svc.service.stores import place_of

    if len(stores) > 1:
        raise click.UsageError("Name one store beside --key.")
    loaded = configuration(ctx)
    backend = place_of(loaded, stores[0]).backend
    with opened(stores, loaded) as found:
        store = found.stores[0] if found.stores else None
        return verify_store(backend, key, store=store, pin=pin, read_data=read_data)


def _verify_proof(proof: Path, key: Path, *, as_json: bool) -> int:
    from junmai_svc.service import report, views
    from junmai_svc.service.audit.keep import check_proof
    from junmai_svc.service.report import audit as report_audit
    from junmai_svc.service.views import audit as views_audit
    from junmai_svc.storage.errors import IntegrityError

    try:
        found = check_proof(proof, key)
    except IntegrityError as error:
        report.show_error(error)
        if as_json:
            report.show_json(views.error_view(error) | {"status": "findings"})
        return FINDINGS
    view = views_audit.proven_view(found)
    (report.show_json if as_json else report_audit.show_proven)(view)
    return DONE


@audit.command(short_help="Sign the journal as it is, and publish it.")
@click.option("--publish", is_flag=True, help="Publish into the stores too.")
@click.option(
    "--accept-loss",
    metavar="REASON",
    help="Publish also to a store that lost what it had, or without --publish, miss nothing in"
    " the stores named any more; the reason goes on record.",
)
@click.option(
    "--repair", is_flag=True, help="With --publish, read all that is there, and put it right."
)
@with_json
@stores_options
@click.pass_context
def checkpoint(
    ctx: click.Context,
    *,
    publish: bool,
    accept_loss: str | None,
    repair: bool,
    stores: "list[Named]",
    as_json: bool,
) -> int:
    """Print the signed checkpoint of the journal as it is now, and its public key.

    Keep either where nobody who can write the stores can reach it: then nothing that was signed
    can be taken back unnoticed.

    \b
    junmai-svc audit checkpoint
    junmai-svc audit checkpoint --publish --store offsite
    junmai-svc audit checkpoint --publish --repair
    junmai-svc audit checkpoint --accept-loss "sold" --store /media/old
    """
    from junmai_svc.service import report
    from junmai_svc.service.audit.keep import give_up, sign
    from junmai_svc.service.audit.stores import named_for, opened, published_places
    from junmai_svc.service.one_history import keep_one_history
    from junmai_svc.service.report import audit as report_audit
    from junmai_svc.service.stores import place_of
    from junmai_svc.service.views import audit as views_audit
    from junmai_svc.service.wiring import reading_journal

    if accept_loss is not None and not publish and not stores:
        raise click.UsageError("--accept-loss goes with --publish, or with --store.")
    if repair and not publish:
        raise click.UsageError("--repair goes with --publish.")
    loaded = configuration(ctx)
    with reading_journal(journal_option(ctx)) as journal:
        for each in stores if accept_loss is not None and not publish else ():
            give_up(journal, place_of(loaded, each).backend.url, accept_loss or "")
        known = published_places(journal.path)
        named = named_for(journal.path, stores, loaded, known) if publish else []
        with opened(named, loaded) as found:
            keep_one_history(journal, [place.backend for place in found.stores])
            signed = sign(journal, found.stores, found.down, accepting=accept_loss, mending=repair)
    view = views_audit.signing_view(signed)
    (report.show_json if as_json else report_audit.show_checkpoint)(view)
    return exit_code(signed.problems[0].problem) if signed.problems else DONE


@audit.command(short_help="Write a proof of one event.")
@click.argument("event")
@click.option("--to", type=PATH, help="The file to write.  [default: event-POSITION.tlog-proof]")
@with_json
@click.pass_context
def prove(ctx: click.Context, *, event: str, to: Path | None, as_json: bool) -> int:
    """Write a proof that one EVENT (a position, or an id) is in the journal.

    It verifies with the public key alone: `junmai-svc audit verify --proof FILE --key FILE`.
    """
    from junmai_svc.service import report
    from junmai_svc.service.audit.keep import prove as make_proof
    from junmai_svc.service.audit.keep import write_proof
    from junmai_svc.service.report import audit as report_audit
    from junmai_svc.service.wiring import reading_journal

    with reading_journal(journal_option(ctx)) as journal:
        proof = make_proof(journal, event)
    path = to or Path(f"event-{proof.position}.tlog-proof")
    write_proof(proof, path)
    view = {"run": None, "status": "proven", "position": proof.position, "proof": str(path)}
    if as_json:
        report.show_json(view)
    else:
        report_audit.show_lines({"Event": str(proof.position), "Proof": str(path)})
    return DONE


@audit.command(short_help="Write out all events.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="CloudEvents, one a line and byte for byte as stored; or a table.",
)
@click.option("--to", type=PATH, help="The file to write.  [default: stdout]")
@with_json
@click.pass_context
def export(ctx: click.Context, *, form: str, to: Path | None, as_json: bool) -> int:
    """Write out all events, each verified: CloudEvents in JSON lines, or a table.

    With --to nothing else is said, unless --json asks for it.

    \b
    junmai-svc audit export --format csv --to events.csv
    """
    from junmai_svc.service import report
    from junmai_svc.service.audit.export import export_to
    from junmai_svc.service.wiring import reading_journal

    if as_json and to is None:
        raise click.UsageError("--json goes with --to: stdout is where the events go.")
    with reading_journal(journal_option(ctx)) as journal:
        written = export_to(journal, form, to)
    if as_json:
        view = {"run": None, "status": "exported", "events": written, "format": form}
        report.show_json(view | {"path": str(to)})
    return DONE


@audit.command(short_help="Refill a journal from a store.")
@click.option("--key", type=PATH, help="A file with the public key, where the journal is gone.")
@click.option(
    "--new-epoch", metavar="REASON", help="After a fork: keep this journal and begin a new one."
)
@with_json
@stores_options
@click.pass_context
def recover(
    ctx: click.Context,
    *,
    key: Path | None,
    new_epoch: str | None,
    stores: "list[Named]",
    as_json: bool,
) -> int:
    """Refill a journal that lost its end, or is gone, from the store that knows most of it.

    A journal that went another way than the store is kept and explained (exit code 3), never
    merged. With --new-epoch it is put aside and a new one begins, whose first event carries both.

    \b
    junmai-svc --journal data/journal.db audit recover --store offsite
    """
    from junmai_svc.service import report
    from junmai_svc.service.audit.recover import recover as use_case
    from junmai_svc.service.audit.stores import named_for, opened, published_places
    from junmai_svc.service.publish import publish_into
    from junmai_svc.service.report import audit as report_audit
    from junmai_svc.service.settings import usual_journal
    from junmai_svc.service.views import audit as views_audit
    from junmai_svc.service.wiring import open_journal

    loaded = configuration(ctx)
    path = usual_journal(journal_option(ctx))

    def open_one(path: Path, create: bool, continues: dict[str, object] | None) -> "Journal":
        return open_journal(path, create=create, continues=continues)

    named = named_for(path, stores, loaded, published_places(path))
    with opened(named, loaded) as found:
        places = found.readable
        if not found.stores and not places and found.down:
            raise found.down[0].problem
        done = use_case(path, found.stores, open_one, places=places, key=key, new_epoch=new_epoch)
        if done.status in ("recovered", "new epoch"):
            with open_journal(path, create=False) as journal:
                publish_into(journal, found.stores)
    down = [each for each in found.down if each.store != done.store]
    view = views_audit.recovery_view(done, down)
    (report.show_json if as_json else report_audit.show_recovery)(view)
    return FINDINGS if done.status == "forked" else DONE


@audit.command(short_help="Build anew what is derived from the events.")
@with_json
@click.pass_context
def rebuild(ctx: click.Context, *, as_json: bool) -> int:
    """Fold all events anew into runs, snapshots, databases and proofs, and compare the digests.

    Ends with exit code 3 where what was kept differed; it is replaced all the same.
    """
    from junmai_svc.service import report
    from junmai_svc.service.report import audit as report_audit
    from junmai_svc.service.wiring import reading_journal

    with reading_journal(journal_option(ctx)) as journal:
        before, after = journal.rebuild()
    differed = before not in (None, after)
    status = "differed" if differed else "same" if before else "built"
    view = {"run": None, "status": status, "before": before, "digest": after}
    if as_json:
        report.show_json(view)
    else:
        report_audit.show_lines({"Rows": status, "Before": before or "not there", "Digest": after})
    return FINDINGS if differed else DONE


@audit.command("rotate-key", short_help="Give the journal a new signing key.")
@click.option(
    "--lost", metavar="REASON", help="The old key is lost; then nothing vouches for the new one."
)
@with_json
@click.pass_context
def rotate_key(ctx: click.Context, *, lost: str | None, as_json: bool) -> int:
    """Give the journal a new signing key, signed by the old one and by itself.

    Who trusts the old public key comes to trust the new one by that. With --lost it has to be told
    to them.
    """
    from junmai_svc.service import report
    from junmai_svc.service.audit.stores import named_for, opened, published_places
    from junmai_svc.service.one_history import keep_one_history
    from junmai_svc.service.publish import publish_into
    from junmai_svc.service.report import audit as report_audit
    from junmai_svc.service.wiring import reading_journal
    from junmai_svc.storage.journal.rotation import rotate_key as rotate

    loaded = configuration(ctx)
    with reading_journal(journal_option(ctx)) as journal:
        known = published_places(journal.path)
        with opened(named_for(journal.path, [], loaded, known), loaded) as found:
            keep_one_history(journal, [place.backend for place in found.stores])
            key = str(rotate(journal, lost=lost))
            publish_into(journal, found.stores)
    view = {"run": None, "status": "rotated", "key": key}
    if as_json:
        report.show_json(view)
    else:
        report_audit.show_lines({"Key": key})
    return DONE
