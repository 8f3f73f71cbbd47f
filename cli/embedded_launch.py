"""Becomes a server process that dies with its parent; run as a script, never imported.

`python -I embedded_launch.py PARENT_PID SIGNAL UID GID PROGRAM ARGUMENT...` ties its own life to the parent, gives up
root when a user other than the present one is named, and executes PROGRAM in its own place. A script of its own,
because code between fork and exec may deadlock in a process that has threads. It may use the standard library only.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


class CapHeader(ctypes.Structure):
    """The kernel's `struct __user_cap_header_struct`; pid 0 is the calling process."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class CapData(ctypes.Structure):
    """The kernel's `struct __user_cap_data_struct`: 32 capabilities as bits; version 3 takes two of them."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def prctl(option: int, *arguments: int) -> bool:
    """Calls prctl(2) and tells whether it succeeded; all arguments are passed as unsigned longs."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return bool(libc.prctl(option, *(ctypes.c_ulong(argument) for argument in padded)) == 0)


def keep_only(capabilities: int) -> bool:
    """Reduces this process's rights to these; False when it does not have them."""
    header = CapHeader(CAPABILITY_VERSION_3, 0)
    data = (CapData * 2)(CapData(capabilities, capabilities, capabilities), CapData(0, 0, 0))
    return bool(libc.capset(ctypes.byref(header), ctypes.byref(data)) == 0)


def become(uid: int, gid: int) -> None:
    """Changes to the user and group for good, keeping of all of root's rights only that to pass file permissions.

    The clone and the data may lie below a folder that only root may enter (/root); its permissions are not ours to
    loosen, and a copy of the data elsewhere would not be where its owner looks for it. A sandbox that refuses this
    right still gets the change of user.
    """
    prctl(PR_SET_KEEPCAPS, 1)
    # Without this access(2), which PostgreSQL asks about its own programs, ignores the right that is kept.
    prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if keep_only(1 << CAP_DAC_OVERRIDE):
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)
    elif not keep_only(0):
        raise PermissionError("the rights of root could not be given up")


def main(arguments: list[str]) -> None:
    """Replaces this process; returns only by an exception."""
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    command = arguments[4:]
    if uid != os.geteuid():
        become(uid, gid)
    # After the change of user, which would clear it.
    if not prctl(PR_SET_PDEATHSIG, death_signal):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit("the parent died while this server was being started")
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606 - the program is one of ours, by path


if __name__ == "__main__":
    main(sys.argv[1:])
