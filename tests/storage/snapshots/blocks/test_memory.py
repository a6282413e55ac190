"""Memory stays bounded, whatever the size of the image."""

import subprocess
import sys
from pathlib import Path

import pytest

MIB = 1 << 20
IMAGE_MIB = 192
LIMIT_MIB = 100

MAKE = f"""
random = Random(1)
with (folder / "image").open("wb") as image:
    for _ in range({IMAGE_MIB}):
        # One half can't be compressed, the other almost to nothing: many packs and many blocks.
        image.write(random.randbytes({MIB // 2}))
        image.writelines(b"%4096d" % random.getrandbits(60) for _ in range(128))
"""
STORE = """
stored = store.store(folder / "image")
(folder / "name").write_text(stored.map.name)
"""
RESTORE = """
image_map = store.map((folder / "name").read_text())
restore_image(image_map, folder / "restored", store.read_range, store.seal)
"""
# The peak of this process alone, in MiB; what getrusage says counts its parent before the fork.
PEAK = """
[peak] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(peak.split()[1]) >> 10)
"""
IMPORTS = """
import sys
from pathlib import Path
from random import Random
from junmai_svc.storage.snapshots.blocks.reading import restore_image
from tests.storage.snapshots.blocks.scratch import SEALS, ScratchStore
folder = Path(sys.argv[1])
store = ScratchStore(folder / "store", SEALS[sys.argv[2]]())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("kind", ["plain", "sealed"])
def test_storing_and_restoring_take_a_hundred_mebibytes_at_most(tmp_path: Path, kind: str) -> None:
    def peak_of(doing: str) -> int:
        command = [sys.executable, "-c", IMPORTS + doing + PEAK, str(tmp_path), kind]
        root = Path(__file__).parents[4]
        done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
        return int(done.stdout)

    idle = peak_of(MAKE)
    peaks = {"storing": peak_of(STORE), "restoring": peak_of(RESTORE)}
    assert {name: peak for name, peak in peaks.items() if peak > LIMIT_MIB} == {}
    # The image was far larger than what was taken for it.
    assert all(peak - idle < IMAGE_MIB / 2 for peak in peaks.values())
