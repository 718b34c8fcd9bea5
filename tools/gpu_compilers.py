"""What compilers for GPUs tell of a kernel, where there is no GPU: for tools/check-gpu.

They come from packages, into a folder outside of the repository: clang 19 with libclc and Intel's ocloc from Debian, unpacked and not
installed; ptxas and nvdisasm from PyPI. Which drivers' own compilers differ: NVIDIA's OpenCL compiles to PTX by itself, and only what
follows, ptxas, is the same; AMD's has a newer clang.
"""
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

FIXED = ["-cl-std=CL1.2"]  # of FIXED_OPTIONS in src/runtime/program.h what concerns the code
NVIDIA_PACKAGES = {"nvidia-cuda-nvcc": "13.5.37", "nvidia-cuda-nvdisasm": "13.5.37"}
MISSING = 3  # exit code: the packages can't be had

# What a kernel was compiled to. registers: of a work-item (Intel: of a thread, which has 128). spilled: registers that did not fit
# (NVIDIA: bytes). stack: bytes of a work-item that are no registers. local: bytes of a work-group. occupancy: share in percent of the
# most work-items that a compute unit can have in flight. products, loads: instructions of the innermost loop.
Figures = collections.namedtuple("Figures", "registers spilled stack local occupancy products loads")

# Intel: threads and bytes of local memory that a work-group shares with others.
INTEL = {"skl": (56, 65536), "tgllp": (112, 131072), "dg2": (128, 131072), "pvc": (64, 131072)}
AMD = {"gfx906": 10, "gfx1030": 16, "gfx1100": 16}  # waves of a SIMD
# NVIDIA: warps, work-groups, bytes of local memory of a multiprocessor, and what each group takes besides.
NVIDIA = {"sm_75": (32, 16, 65536, 0), "sm_90": (64, 32, 233472, 1024)}
TARGETS = [*INTEL, *AMD, *NVIDIA]


class Unavailable(Exception):
    """The packages can't be had here."""


# ---- getting them ----


def attempt(command, folder):
    """Output, or Unavailable with its end."""
    try:
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError as error:
        raise Unavailable(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise Unavailable(f"'{' '.join(command[:4])} ...' failed: {' '.join(done.stdout.split()[-30:])}")
    return done.stdout


def get_debian(folder):
    """Unpacks what apt would install."""
    attempt(["apt-get", "--version"], folder)
    known = subprocess.run(["apt-cache", "show", "intel-ocloc"], capture_output=True).returncode == 0  # a package of its own later on
    wanted = ["clang-19", "libclc-19-dev", "libclc-19", "intel-ocloc" if known else "intel-opencl-icd"]
    plan = attempt(["apt-get", "--simulate", "--no-install-recommends", "install", *wanted], folder)
    names = re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    attempt(["apt-get", "-q", "download", *sorted({*names, *wanted})], folder)
    for package in sorted(folder.glob("*.deb")):
        attempt(["dpkg", "-x", str(package), "."], folder)
        package.unlink()
    # ocloc disassembles where it finds this name, which a package for development would have.
    for library in folder.glob("usr/lib/*/libiga64.so.1"):
        link = library.with_suffix("")
        if not link.exists():
            link.symlink_to(library.name)


def get_nvidia(folder):
    wanted = [f"{name}=={version}" for name, version in NVIDIA_PACKAGES.items()]
    attempt([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
             "--dest", ".", *wanted], folder)
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if member.endswith(("/bin/ptxas", "/bin/nvdisasm")):
                    tool = folder / member.rsplit("/", 1)[1]
                    tool.write_bytes(archive.read(member))
                    tool.chmod(0o755)
        wheel.unlink()


class Compilers:
    def __init__(self, folder):
        self.folder = folder
        done = folder / "done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            print(f"check-gpu: getting the compilers into {folder}", file=sys.stderr)
            get_debian(folder)
            get_nvidia(folder)
            done.touch()
        libraries = sorted({str(path.parent) for path in folder.glob("usr/lib/**/*.so*")})
        self.environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
        self.clang, self.ocloc = folder / "usr/bin/clang-19", folder / "usr/bin/ocloc"
        self.libclc = folder / "usr/lib/clc"

    def run(self, command, where):
        """Its output; a compiler that fails is an error of the kernel's."""
        done = subprocess.run([str(word) for word in command], cwd=where, env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(str(word) for word in command)}\n{done.stdout[-3000:]}")
        return done.stdout

    def versions(self):
        """Of what makes the figures, in a line."""
        clang = re.search(r"version (\S+)", self.run([self.clang, "--version"], self.folder)).group(1)
        igc = sorted(path.name for path in self.folder.glob("usr/lib/*/libigc.so.*.*"))
        return f"clang {clang}, {' '.join(igc)}, ptxas {NVIDIA_PACKAGES['nvidia-cuda-nvcc']}"

    def clang_command(self, library, source, options, *target):
        """What libclc's triple is called differs, and so do the flags that say what may be assumed of a GPU without its library."""
        return [self.clang, "-x", "cl", *FIXED, "-O3", "-w", *target, "-Xclang", "-mlink-builtin-bitcode", "-Xclang",
                self.libclc / library, f"-I{source.parent}", *options.split(), "-S", source]

    def figures(self, target, source, options, kernels):
        """{kernel: Figures} of {kernel: work-items of its work-group} in a file of cl/."""
        vendor = intel if target in INTEL else amd if target in AMD else nvidia
        with tempfile.TemporaryDirectory(prefix="check-gpu-") as where:
            return vendor(self, target, source.resolve(), options, kernels, pathlib.Path(where))


# ---- the innermost loop ----


def loop_counts(lines, label, branch, product, load):
    """Products and loads of the smallest loop that has most of the products. `label` and `branch` find names, the others count."""
    at, loops = {}, []
    for i, line in enumerate(lines):
        found = label(line)
        if found:
            at[found] = i
        loops += [(at[name], i) for name in branch(line) if name in at]
    totals = [(sum(map(product, lines[first:last + 1])), last - first, first, last) for first, last in loops]
    most = max((count for count, *_ in totals), default=0)
    if most == 0:
        return 0, 0
    count, _, first, last = min((t for t in totals if 2 * t[0] >= most), key=lambda t: t[1])
    return count, sum(map(load, lines[first:last + 1]))


def finder(pattern):
    compiled = re.compile(pattern)
    return lambda line: compiled.findall(line)


def counter(pattern):
    compiled = re.compile(pattern)
    return lambda line: len(compiled.findall(line))


def first_of(pattern):
    compiled = re.compile(pattern)

    def find(line):
        match = compiled.match(line)
        return match.group(1) if match else None

    return find


def most_groups(*limits):
    """How many work-groups fit: of pairs (there is, one takes)."""
    return min(have // takes for have, takes in limits if takes > 0)


# ---- NVIDIA ----

SASS = (first_of(r"(\.L_\w+):"), finder(r"BRA[^;]*`\((\.L_\w+)\)"), counter(r"\bFFMA2?\b"), counter(r"\b(?:LDS|LDG|LD|LDL)\b"))


def nvidia(tools, target, source, options, kernels, where):
    warps, groups, local, besides = NVIDIA[target]
    tools.run([*tools.clang_command("nvptx64--nvidiacl.bc", source, options, "--target=nvptx64-nvidia-cuda", "-Xclang", "-target-cpu",
                                    "-Xclang", "sm_75", "-Xclang", "-target-feature", "-Xclang", "+ptx75"), "-o", "k.ptx"], where)
    told = tools.run([tools.folder / "ptxas", "-v", f"-arch={target}", "-o", "k.cubin", "k.ptx"], where)
    code = tools.run([tools.folder / "nvdisasm", "-c", "k.cubin"], where)
    found = {}
    for kernel, items in kernels.items():
        about = re.search(rf"Compiling entry function '{kernel}' .*?registers[^\n]*", told, re.DOTALL).group(0)
        registers = int(re.search(r"Used (\d+) registers", about).group(1))
        shared = int((re.search(r"(\d+) bytes smem", about) or [0, 0])[1])
        stack, spilled = map(int, re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores", about).groups())
        each = (items + 31) // 32
        fit = most_groups((groups, 1), (warps, each), (local, shared + besides if shared else 0),
                          (65536, (registers + 7) // 8 * 256 * each))
        body = code.split(f".section\t.text.{kernel},", 1)[1].split("\n\t.section\t", 1)[0].splitlines()
        found[kernel] = Figures(registers, spilled, stack, shared, 100 * fit * each // warps, *loop_counts(body, *SASS))
    return found


# ---- AMD ----

GCN = (first_of(r"(\.LBB\d+_\d+):"), finder(r"s_c?branch\S* (\.LBB\d+_\d+)"),
       counter(r"\bv_(?:dual_)?(?:pk_)?(?:fma|fmac|mac|fmaak|fmamk)_(?:legacy_)?f32"),
       counter(r"\b(?:ds_load|ds_read|global_load|flat_load|buffer_load|scratch_load)"))


def amd(tools, target, source, options, kernels, where):
    told = tools.run([*tools.clang_command("amdgcn--amdhsa.bc", source, options, "--target=amdgcn-amd-amdhsa", f"-mcpu={target}",
                                           "-nogpulib"), "-Rpass-analysis=kernel-resource-usage", "-o", "k.s"], where)
    code = (where / "k.s").read_text()
    found = {}
    for kernel in kernels:
        about = told.split(f"Function Name: {kernel} ", 1)[1].split("Function Name:", 1)[0]

        def value(name, text=about):
            return int(re.search(rf" {re.escape(name)}: (\d+)", text).group(1))

        body = code.split(f"\n{kernel}:", 1)[1].split("\n.Lfunc_end", 1)[0].splitlines()
        found[kernel] = Figures(value("VGPRs"), value("SGPRs Spill") + value("VGPRs Spill"), value("ScratchSize [bytes/lane]"),
                                value("LDS Size [bytes/block]"), 100 * value("Occupancy [waves/SIMD]") // AMD[target],
                                *loop_counts(body, *GCN))
    return found


# ---- Intel ----

# (8|M0) is an instruction for eight work-items; a W in front is for one thread.
XE = (first_of(r"(L\d+):"), finder(r"(?:jmpi|while|goto|brd|brc|join|else|endif|break|cont)\b.*?\b(L\d+)"),
      counter(r"^ *(?:\([^W)]*\))? *mad \(\d+\|M\d+\)[^/]*:f"), counter(r"// wr:\S+ rd:[1-9](?!.*fence)"))
WIDTH = re.compile(r"^ *(?:\([^W)]*\))? *[a-z0-9.]+ \((8|16|32)\|M0\)", re.MULTILINE)


def intel(tools, target, source, options, kernels, where):
    threads, local = INTEL[target]
    told = tools.run([tools.ocloc, "compile", "-file", source, "-device", target, "-options",
                      f"{' '.join(FIXED)} -I{source.parent} {options}", "-out_dir", "out", "-output", "k"], where)
    binary = next(path for path in (where / "out").iterdir() if path.suffix == ".bin")
    tools.run([tools.ocloc, "disasm", "-file", binary, "-device", target, "-dump", "code"], where)
    tokens = (where / "code/PTM.txt").read_text()
    found = {}
    for kernel, items in kernels.items():
        code = (where / f"code/{kernel}_KernelHeap.asm").read_text()
        about = tokens.split(f"KernelName {kernel}\n", 1)[1].split("KernelBinaryHeader", 1)[0]
        spilled = re.search(rf"kernel {kernel} .*?spilled around (\d+)", told)
        shared = token(about, 15, 4)
        width = collections.Counter(map(int, WIDTH.findall(code))).most_common(1)[0][0]
        each = (items + width - 1) // width
        registers = 1 + max(map(int, re.findall(r"\br(\d+)\b", code)), default=0)
        fit = most_groups((threads, each), (local, shared))
        found[kernel] = Figures(registers, int(spilled.group(1)) if spilled else 0, scratch(about), shared,
                                100 * fit * each // threads, *loop_counts(code.splitlines(), *XE))
    return found


def token(tokens, number, offset):
    """A number of four bytes in a patch token of Intel's; 0 where there is no such token. 15: inline local memory; 18: thread scratch."""
    match = re.search(rf"Token {number}\n\s*4 Size \d+\n\s*Hex ([0-9a-f ]+)", tokens)
    data = bytes(int(byte, 16) for byte in match.group(1).split()) if match else b""
    return int.from_bytes(data[offset:offset + 4], "little")


def scratch(tokens):
    """Bytes of a thread that are not in registers."""
    return token(tokens, 18, 4)
