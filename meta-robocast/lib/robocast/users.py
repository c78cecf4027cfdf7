"""The users of the box: sysusers.d files of the install tree as parameters of OpenEmbedded's useradd class.

systemd-sysusers cannot do its work on the box, where /etc is read-only.
"""

import glob
import os
import shlex


def lines(tree):
    """Every line of the sysusers.d files, as words."""
    for path in sorted(glob.glob(os.path.join(tree, "hw", "rootfs", "usr", "lib", "sysusers.d", "*.conf"))):
        with open(path, encoding="utf-8") as text:
            for line in text:
                words = shlex.split(line, comments=True)
                if words:
                    yield words


def given(words, at):
    """The word at a position, unless it is `-`."""
    return words[at] if len(words) > at and words[at] != "-" else None


def groups(tree):
    """Parameters of groupadd, one group after another."""
    made = []
    for words in lines(tree):
        if words[0].startswith("g"):
            number = given(words, 2)
            made.append("--system %s%s" % ("--gid %s " % number if number else "", words[1]))
    return "; ".join(made)


def users(tree):
    """Parameters of useradd, one user after another."""
    member = {}
    for words in lines(tree):
        if words[0].startswith("m"):
            member.setdefault(words[1], []).append(words[2])
    made = []
    for words in lines(tree):
        if not words[0].startswith("u"):
            continue
        number = given(words, 2)
        made.append(
            "--system --no-create-home --user-group --home-dir %s --shell %s %s%s%s"
            % (
                given(words, 4) or "/",
                given(words, 5) or "/usr/sbin/nologin",
                "--uid %s " % number.split(":")[0] if number else "",
                "--groups %s " % ",".join(member[words[1]]) if words[1] in member else "",
                words[1],
            )
        )
    return "; ".join(made)
