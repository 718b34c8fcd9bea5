#!/usr/bin/env python3
"""What tools/check-gpu and tools/bench-gpu do can be seen without the compilers and without a GPU: how listings are read, what is complained
about, what is compiled again, what is said where the packages are not to be had."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent / "tools"
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOOLS))
import gpu_compilers
from gpu_compilers import Figures

loader = importlib.machinery.SourceFileLoader("check_gpu", str(TOOLS / "check-gpu"))
check_gpu = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_gpu", loader))
loader.exec_module(check_gpu)

# An outer loop with a search in it and the products' loop.
SASS = """.L_x_0:
  LDG.E.128.CONSTANT R36, desc[UR8][R46.64] ;
.L_x_1:
  ISETP.GE.U32.AND P0, PT, R117, R114, PT ;
  @P0 BRA `(.L_x_1) ;
.L_x_2:
  LDS.128 R4, [R62] ;
  FFMA R5, R5, R30, R7 ;
  FFMA R6, R5, R30, R7 ;
  @P2 BRA `(.L_x_2) ;
  @!P1 BRA `(.L_x_0) ;
.L_x_3:
  BRA `(.L_x_3);
""".splitlines()
GCN = """.LBB0_1:
  ds_load_b128 v[0:3], v4
  v_dual_fmac_f32 v1, v2, v3 :: v_dual_fmac_f32 v4, v5, v6
  v_fma_f32 v1, v2, v3, v4
  s_cbranch_scc1 .LBB0_1
""".splitlines()
XE = """L8:
        send.dc1 (8|M0)          r2       r7      null:0  0x0            0x02406000           {A@1,$10} // wr:1+0, rd:4; untyped surface read
        mad (8|M0)               r7.0<1>:f     r2.0<1;1,0>:f  r3.0<1;1,0>:f  r4.0<1>:f
(W)     mad (1|M0)               r7.0<1>:f     r2.0<1;1,0>:f  r3.0<1;1,0>:f  r4.0<1>:f
(W)     send.slm (1|M0)          r2       r68     null:0  0x0            0x0210011F           {$15} // wr:1+0, rd:1; fence.slm.none.group
(W)     jmpi                                 L8
""".splitlines()


class Listings(unittest.TestCase):
    def test_loops(self):
        self.assertEqual(gpu_compilers.loop_counts(SASS, *gpu_compilers.SASS), (2, 1))
        self.assertEqual(gpu_compilers.loop_counts(GCN, *gpu_compilers.GCN), (3, 1))
        self.assertEqual(gpu_compilers.loop_counts(XE, *gpu_compilers.XE), (1, 1))
        self.assertEqual(gpu_compilers.loop_counts([], *gpu_compilers.SASS), (0, 0))

    def test_patch_tokens(self):
        tokens = "Unidentified PatchToken:\n\t4 Token 15\n\t4 Size 16\n\tHex 0 0 0 0 0 64 0 0 \n"
        self.assertEqual(gpu_compilers.token(tokens, 15, 4), 0x6400)
        self.assertEqual(gpu_compilers.token(tokens, 18, 4), 0)

    def test_groups(self):
        self.assertEqual(gpu_compilers.most_groups((56, 8), (65536, 25600)), 2)
        self.assertEqual(gpu_compilers.most_groups((56, 8), (65536, 0)), 7)


GOOD = Figures(registers=100, spilled=0, stack=0, local=1000, occupancy=50, products=64, loads=8)


class Complaints(unittest.TestCase):
    def said(self, before=GOOD, **changes):
        row = check_gpu.Row(1, GOOD._replace(**changes), "")
        return check_gpu.complaints(row, before and check_gpu.Row(1, before, ""))

    def test_what_is_worse(self):
        self.assertEqual(self.said(), [])
        self.assertEqual(self.said(registers=105, occupancy=48), [])
        self.assertEqual(self.said(registers=106), ["registers 106, was 100"])
        self.assertEqual(self.said(local=1051), ["local 1051, was 1000"])
        self.assertEqual(self.said(stack=8), ["stack 8, was 0"])
        self.assertEqual(self.said(occupancy=47), ["occupancy 47 %, was 50 %"])
        self.assertEqual(self.said(loads=9), ["products to loads 64:9, was 64:8"])
        self.assertEqual(self.said(registers=50, loads=4, occupancy=100), [])

    def test_spills_are_always_wrong(self):
        self.assertEqual(self.said(before=None, registers=300), [])
        self.assertEqual(self.said(before=None, spilled=1), ["spills 1"])
        self.assertEqual(self.said(before=GOOD._replace(spilled=1), spilled=1), ["spills 1"])

    def test_the_worst_of_several_shapes(self):
        other = Figures(registers=20, spilled=3, stack=0, local=2000, occupancy=20, products=10, loads=5)
        self.assertEqual(check_gpu.worst([GOOD, other]), Figures(100, 3, 0, 2000, 20, 10, 5))


class Table(unittest.TestCase):
    def test_comes_back(self):
        with tempfile.TemporaryDirectory() as folder:
            check_gpu.TABLE, kept = pathlib.Path(folder) / "table.txt", check_gpu.TABLE
            key, row = ("dg2", "conv2d_forward_tile", "tile:64x64x16/4x4"), check_gpu.Row(3, GOOD, "0123456789ab")
            check_gpu.TABLE.write_text(f"{check_gpu.HEAD}{check_gpu.OF}clang 1\n{check_gpu.line_of(key, row)}\n")
            self.assertEqual(check_gpu.read_table("clang 1"), {key: row})
            with contextlib.redirect_stdout(io.StringIO()) as said:
                self.assertEqual(check_gpu.read_table("clang 2"), {})
            self.assertIn("of other compilers (clang 1)", said.getvalue())
            check_gpu.TABLE = kept

    def test_digests(self):
        sources = check_gpu.Sources()
        program = check_gpu.Program("dg2", "conv2d_tile", "-DTILE_M=64")
        digest = sources.of_program("1", program)
        self.assertNotEqual(digest, sources.of_program("2", program))
        self.assertNotEqual(digest, sources.of_program("1", program._replace(target="skl")))
        self.assertNotEqual(digest, sources.of_program("1", program._replace(options="-DTILE_M=32")))
        self.assertIn("multiply_blocks(local", sources.text("conv2d_tile.cl"))  # of a file that it includes
        sources.texts["conv2d_tile.cl"] += "// more"
        self.assertNotEqual(digest, sources.of_program("1", program))

    def test_blocks(self):
        launch = {"variant": "tile_images TILE_M=64 TILE_N=32 TILE_K=16 WORK_M=8 WORK_N=4 SPLITS=2", "options": "-DTILE_M=64"}
        self.assertEqual(check_gpu.block_of(launch), "tile_images:64x32x16/8x4")
        self.assertEqual(check_gpu.block_of({**launch, "options": "-DC=1"}), "-")  # what sums the parts

    def test_what_convoy_would_launch(self):
        convoy = os.environ.get("CONVOY_COMMAND")
        if not convoy:
            self.skipTest("CONVOY_COMMAND names no convoy")
        rows = check_gpu.collect(convoy, ["skl"])
        kernels = {kernel for _, kernel, _ in rows}
        self.assertLessEqual({"gather", "adam", "conv2d_forward_tile", "conv2d_backward_filter_tile", "batch_norm_moments"}, kernels)
        for (_, kernel, block), members in rows.items():
            self.assertEqual(kernel.endswith("_tile"), block != "-")
            for program, items in members:
                self.assertTrue((TOOLS.parent / "cl" / f"{program.source}.cl").exists())
                self.assertGreater(items, 0)


class Skipping(unittest.TestCase):
    def test_without_apt(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = {"PATH": folder, "CONVOY_GPU_COMPILERS": f"{folder}/compilers"}
            done = subprocess.run([sys.executable, str(TOOLS / "check-gpu")], env=environment, capture_output=True, text=True)
            self.assertEqual(done.returncode, gpu_compilers.MISSING)
            self.assertIn("skipped, the compilers can't be had here: apt-get", done.stdout)

    def test_unknown_targets(self):
        with contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit):
            sys.argv = ["check-gpu", "z80"]
            check_gpu.main()
        self.assertIn("unknown target 'z80'", said.getvalue())


if __name__ == "__main__":
    unittest.main()
