"""Images of faulty.py in a real registry, brought there by skopeo.

    peers.push_image(registry.address, folder, faulty.make_image(), "name")
"""
import json
import os
import tempfile

import faulty
from servers import run

TOOLS = ("docker-registry", "skopeo", "umoci")


def write_layout(folder, image, tag):
    """An image of faulty.py as an OCI layout."""
    blobs = os.path.join(folder, "blobs", "sha256")
    os.makedirs(blobs)
    for digest, data in (*image.blobs.items(), *((key, value[1]) for key, value in image.manifests.items())):
        with open(os.path.join(blobs, digest.split(":")[1]), "wb") as file:
            file.write(data)
    media_type, data = image.manifests[image.top]
    with open(os.path.join(folder, "oci-layout"), "w", encoding="ascii") as file:
        file.write('{"imageLayoutVersion": "1.0.0"}')
    with open(os.path.join(folder, "index.json"), "w", encoding="ascii") as file:
        entry = faulty.descriptor(media_type, data, annotations={"org.opencontainers.image.ref.name": tag})
        json.dump({"schemaVersion": 2, "manifests": [entry]}, file)


def push(source, address, name, *options):
    run("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", *options, source,
        f"docker://{address}/{name}")


def push_image(address, folder, image, name, *options):
    """An image of faulty.py, by way of a layout somewhere in the folder."""
    layout = os.path.join(tempfile.mkdtemp(dir=folder), "layout")
    write_layout(layout, image, "pushed")
    push(f"oci:{layout}:pushed", address, name, *options)
