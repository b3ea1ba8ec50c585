"""A disk that goes away: whoever asks for a file of that name then waits for ever.

The libc's stat is another one in the daemon; the file `gone` in its folder takes the disk away, and
`asked` appears when somebody has begun to wait.
"""
import os

from .preload import preload
from .times import until

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int stat(const char *path, struct stat *st)
{
    int (*real)(const char *, struct stat *) = dlsym(RTLD_NEXT, "stat");
    if (strstr(path, "hosts") && access("gone", F_OK) == 0) {
        close(open("asked", O_CREAT | O_WRONLY, 0600));
        for (;;)
            pause();
    }
    return real(path, st);
}
"""


class DeadDisk:
    """The hosts file of a daemon started with env=disk.env stands on it."""

    def __init__(self, folder):
        # the thread that hangs is left behind, and told; TSan need not tell it too
        quiet = os.environ.get("TSAN_OPTIONS", "exitcode=97") + ":report_thread_leaks=0"
        self.env = preload(folder, "dead_disk", _SOURCE) | {"TSAN_OPTIONS": quiet}

    @staticmethod
    def goes_away(daemon):
        """Returns when the daemon hangs on it, because it was told that the file has changed."""
        (daemon.folder / "gone").touch()
        os.utime(daemon.folder / "hosts")
        assert until((daemon.folder / "asked").exists)
