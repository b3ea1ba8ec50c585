"""A function of the libc put before the real one (LD_PRELOAD) in a daemon, for what no real system
does when a test wants it."""
import subprocess

from .skip import need


def preload(folder, name, source):
    """The environment of a daemon with this C source in it."""
    code, library = folder / f"{name}.c", folder / f"{name}.so"
    code.write_text(source)
    subprocess.run([need("gcc"), "-shared", "-fPIC", "-o", library, code], check=True)
    return {"LD_PRELOAD": str(library)}
