# The crates of a Cargo.lock as SRC_URI, read from the lock file whenever a recipe is parsed: the list is generated,
# and is always up to date.

ROBOCAST_CARGO_LOCK ?= "${ROBOCAST_TREE}/Cargo.lock"
ROBOCAST_CARGO_LOCK[doc] = "The lock file whose crates are fetched."

python () {
    lock = d.getVar("ROBOCAST_CARGO_LOCK")
    # A changed lock file is a changed recipe.
    bb.parse.mark_dependency(d, lock)
    try:
        listed = robocast.crates.crates(lock)
    except (OSError, robocast.crates.LockError) as error:
        raise bb.parse.SkipRecipe(str(error))
    d.appendVar("SRC_URI", "".join(" " + robocast.crates.uri(name, version) for name, version, _ in listed))
    for name, version, checksum in listed:
        d.setVarFlag("SRC_URI", "%s-%s.sha256sum" % (name, version), checksum)
}
