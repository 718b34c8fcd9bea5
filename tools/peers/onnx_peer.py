"""The tutorial network as Convoy exports it to ONNX, predicted by runtimes made for that; see peer.py for the command line.

Modes: onnxruntime; openvino-latency and openvino-throughput, by the hint that it is given; mnn. All in float32, on all cores.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import peer


def onnxruntime(model, _):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = peer.threads()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})


def openvino(hint):
    def make(model, batch):
        import openvino
        core = openvino.Core()
        network = core.read_model(model)
        network.reshape([batch, 32, 32, 3])
        hints = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": peer.threads()}
        request = core.compile_model(network, "CPU", hints).create_infer_request()
        return lambda x: request.infer({0: x})
    return make


def mnn(model, _):
    import MNN
    import MNN.expr
    converter = pathlib.Path(sys.executable).parent / "mnnconvert"
    with tempfile.TemporaryDirectory() as folder:
        own = os.path.join(folder, "model.mnn")
        subprocess.run([converter, "-f", "ONNX", "--modelFile", model, "--MNNModel", own, "--bizCode", "MNN"], check=True,
                       stdout=subprocess.DEVNULL)
        runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "precision": "high", "numThread": peer.threads()},))
        network = MNN.nn.load_module_from_file(own, [], [], runtime_manager=runtime)
    return lambda x: network.forward([MNN.expr.const(x, list(x.shape), MNN.expr.NCHW)])[0].read()


MODES = {"onnxruntime": onnxruntime, "openvino-latency": openvino("LATENCY"), "openvino-throughput": openvino("THROUGHPUT"),
         "mnn": mnn}


def predict(args):
    images, _ = peer.read(args.data, "train", peer.PLANES_LAST)
    forward = MODES[args.mode](args.model, args.batch)
    whole = len(images) // args.batch * args.batch  # some runtimes are made for one batch size

    def epoch():
        for first in range(0, whole, args.batch):
            forward(images[first:first + args.batch])

    peer.time_passes(epoch, whole, args.epochs)


if __name__ == "__main__":
    predict(peer.arguments(("predict",), MODES))
