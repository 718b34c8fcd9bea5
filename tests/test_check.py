#!/usr/bin/env python3
"""Does tools/check find what it is there to find? Each rule gets a text that breaks it, and one that does not."""
import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent / "tools"
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOOLS))
import kernel_contract

loader = importlib.machinery.SourceFileLoader("check", str(TOOLS / "check"))
check = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
loader.exec_module(check)

KERNEL = """// y = x.
#include "some.clh"
typedef float number;
inline number same(number x) { return x; }
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void copy(global const float *x,
#if MORE
                 global const float *more,
#endif
                 global float *y)
{
    y[get_global_id(0)] = same(x[get_global_id(0)]);
}
"""


class Kernels(unittest.TestCase):
    def breaches(self, text, header="#define SOME 1\n"):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "some.clh").write_text(header)
            (folder / "copy.cl").write_text(text)
            return [(path.name, line, what) for path, line, what in kernel_contract.breaches(folder / "copy.cl")]

    def expect(self, text, line, part, header="#define SOME 1\n", name="copy.cl"):
        found = self.breaches(text, header)
        self.assertEqual([(n, l) for n, l, _ in found], [(name, line)], found)
        self.assertIn(part, found[0][2])

    def changed(self, old, new):
        self.assertEqual(KERNEL.count(old), 1)
        return KERNEL.replace(old, new)

    def test_whole(self):
        self.assertEqual(self.breaches(KERNEL), [])

    def test_names(self):
        self.assertEqual(kernel_contract.own_names([kernel_contract.Line(None, i, text) for i, text in enumerate(KERNEL.split("\n"))]),
                         ([], ["copy", "number", "same"]))

    def test_text(self):
        self.expect(self.changed('#include "some.clh"', ' #include "some.clh"'), 2, "#include")
        within = '#if A\n#include "some.clh"\n#endif'
        self.assertEqual(self.breaches(self.changed('#include "some.clh"', within)), [])
        self.assertEqual(self.breaches(self.changed('#include "some.clh"', '#include "some.clh"\n' + within)), [])
        self.expect(self.changed('#include "some.clh"', within + '\n#include "some.clh"'), 5, "#include")
        self.expect(self.changed("typedef float number;", "typedef float\n    number;"), 3, "typedef")
        self.expect(self.changed("inline number same", "number same"), 4, "at a line's start")
        self.expect(self.changed("inline number same", "inline __attribute__((noinline)) number same"), 4, "at a line's start")
        self.assertIn("'constant'", self.breaches(KERNEL + "constant float table[] = {1.0f};\n")[0][2])
        self.expect(self.changed("    y[", "    enum { A };\n    y["), 12, "'enum'")
        self.expect(self.changed("// y = x.", "// kernel void copy copies."), 1, "a kernel begins a line")
        self.expect(self.changed("// y = x.", "// y = x.\n#define MACRO kernel"), 2, "a kernel begins a line")

    def test_own_names(self):
        self.expect(self.changed("// y = x.", "#define work_item 1"), 1, "'work_item'")
        self.expect(KERNEL.replace("same", "s0"), 4, "'s0'")
        self.expect(self.changed("global float *y)", "number *y)"), 6, "'number'")

    def test_places(self):
        self.expect(self.changed("return x;", "return x + get_global_id(0);"), 4, "get_global_id")
        self.expect(self.changed("y[get_global_id(0)] =", "y[get_global_id(SOME)] ="), 12, "get_global_id")

    def test_fusing(self):
        groups = self.changed("    y[", "    barrier(CLK_LOCAL_MEM_FENCE);\n    y[")
        self.expect(groups, 12, "'barrier'")
        self.assertEqual(self.breaches("// Not fused: it waits.\n" + groups), [])
        self.assertEqual(self.breaches(self.changed("// y = x.", "// no barrier(")), [])
        self.expect("// Not fused: why not\n" + KERNEL, 1, "take this line out")
        self.expect(self.changed("(1, 1, 1)", "(8, 1, 1)"), 5, "reqd_work_group_size(8, 1, 1)")
        self.expect(self.changed("    y[", "    local float some[4];\n    y["), 12, "'local'")
        self.expect(KERNEL, 1, "'get_local_id'", "inline int own(void) { return get_local_id(0); }\n", "some.clh")
        self.expect(KERNEL + "kernel void none(void)\n{\n}\n", 14, "without parameters")


class Statuses(unittest.TestCase):
    def breaches(self, body, run):
        check.breaches.clear()
        run(pathlib.Path("x.c"), "static convoy_status own(int a);\nvoid f(void)\n{\n    cl_int code;\n" + body + "\n}\n")
        return [line.split(": ")[:2] for line in check.breaches]

    def opencl(self, body):
        return self.breaches(body, check.check_opencl_statuses)

    def ours(self, body):
        return self.breaches(body, lambda path, code: check.check_statuses(path, code, {"rt_finish"}))

    def test_opencl(self):
        for body in ("clFinish(q);", "if (q)\n        clFinish(q);", "(void)clFinish(q);", "else clFinish(q);", "CLBlastClearCache();",
                     "switch (q) { case 1: clFinish(q); }"):
            found = self.opencl(body)
            self.assertEqual(len(found), 1, body)
            self.assertRegex(found[0][0], r"^x.c:[56]$")
        for body in ("code = clFinish(q);", "CL_TRY(ctx, clFinish, q);", "code = q ? clFinish(q) : clFlush(q);", "if (clFinish(q)) {}",
                     "return clFinish(q);"):
            self.assertEqual(self.opencl(body), [], body)

    def test_creations(self):
        self.assertEqual(len(self.opencl("x = clCreateKernel(p, n, NULL);")), 1)
        self.assertEqual(len(self.opencl("x = clCreateKernel(p, f(n, 1), &code);\n    y = clCreateKernel(p, n, &code);")), 2)
        self.assertEqual(self.opencl("x = clCreateKernel(p, f(n, 1), &code);\n    if (code != CL_SUCCESS) return;"), [])

    def test_ours(self):
        for body in ("rt_finish(q);", "if (q)\n        rt_finish(q);", "own(1);", "else own(1);"):
            self.assertEqual(len(self.ours(body)), 1, body)
        for body in ("(void)rt_finish(q);", "TRY(rt_finish(q));", "status = own(1);", "return own(1);", "other(1);"):
            self.assertEqual(self.ours(body), [], body)


class Optional(unittest.TestCase):
    def test_macros(self):
        check.breaches.clear()
        check.check_optional(pathlib.Path("x.c"), "int a;\n#ifdef HAVE_IMAGES\nint b;\n#endif\n")
        self.assertEqual([line.split(": ")[:2] for line in check.breaches], [["x.c:2", "HAVE_IMAGES"]])


if __name__ == "__main__":
    unittest.main()
