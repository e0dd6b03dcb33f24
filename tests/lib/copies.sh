# Many containers on disk, without the time that making them takes. Sourced by bash.
#
# shellcheck shell=bash

# copies ID COUNT: as many more of a container, by what makes one: a folder under its ID.
copies() {
  python3 - "$MVM_HOME/containers" "$@" <<'END'
import hashlib, json, os, shutil, sys
folder, seed, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for i in range(count):
    id = hashlib.sha256(str(i).encode()).hexdigest()
    new = f"{folder}/{id}.making"
    shutil.copytree(f"{folder}/{seed}", new, symlinks=True)
    with open(f"{new}/config.json", "r+") as file:
        config = json.load(file)
        config["Id"], config["Name"] = id, f"copy-{i}"
        file.seek(0)
        json.dump(config, file)
        file.truncate()
    os.rename(new, f"{folder}/{id}")
END
}
