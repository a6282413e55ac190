"""Layout "blocks": an image as 4 KiB blocks named by their content, stored once, in packs.

    image --digesting--> changed blocks --index--> blocks the store lacks
          --frames--> compressed --sealing--> sealed --packs--> packs
    image --maps--> where each of its blocks lies

The rooms know neither folders nor networks: bytes come and go through callables. Formats are
described at the head of `packs`, `maps`, `sealing`, `keys` and `digesting`.
"""
