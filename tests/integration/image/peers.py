"""Other people's tools that the tests in this folder speak to: Debian's docker-registry, filled by skopeo.

    registry = peers.start_registry(folder)     # its files go into the folder
    registry.address                            # 127.0.0.1:PORT
    peers.push_image(registry.address, folder, faulty.make_image(), "name")
    registry.stop()
"""
import json
import os
import re
import subprocess
import tempfile
import time

import faulty

TOOLS = ("docker-registry", "skopeo", "umoci")


def run(*arguments, **more):
    return subprocess.run(arguments, check=True, capture_output=True, text=True, **more).stdout


class Registry:
    def __init__(self, process, address):
        self.process = process
        self.address = address

    def stop(self):
        self.process.terminate()
        self.process.communicate()


def start_registry(folder):
    config = os.path.join(folder, "registry.yml")
    with open(config, "w", encoding="ascii") as file:
        file.write("version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\n"
                   f"storage: {{filesystem: {{rootdirectory: {folder}/storage}}}}\n"
                   "http: {addr: '127.0.0.1:0', secret: only-for-loopback}\n")
    log = os.path.join(folder, "registry.log")
    with open(log, "wb") as file:
        process = subprocess.Popen(["docker-registry", "serve", config], stdout=file, stderr=file)
    # The system chose the port; the log says which.
    with open(log, encoding="utf-8") as file:
        text = ""
        while not (found := re.search(r"listening on ([0-9.:]+)", text)):
            if process.poll() is not None:
                raise RuntimeError(f"docker-registry did not start: {text}")
            time.sleep(0.02)
            text += file.read()
    return Registry(process, found.group(1))


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
