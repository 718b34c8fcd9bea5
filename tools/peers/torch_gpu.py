"""The networks in PyTorch on a GPU, for tools/bench-gpu: images/s of a training step, eager and as a CUDA graph.

    python3 tools/peers/torch_gpu.py --network tutorial --batch 64

Images stay on the device as uint8; a step gathers a shuffled batch, makes float32 of it, goes forward and backward and lets Adam (its
fused form) change the weights: what Convoy's step does. TF32 is off, since Convoy computes in float32. Prints a JSON object a mode.
Exit code 77: no PyTorch here, or none that sees the device.
"""
import argparse
import json
import statistics
import sys
import time

try:
    import torch
    import torch_peer  # which imports torch, too
except ImportError as error:
    print(f"torch_gpu.py: {error}", file=sys.stderr)
    sys.exit(77)

IMAGES, WARM, STEPS, REPEATS = 10000, 5, 50, 5


def make_step(network, batch, memory_format, device):
    """(the step, what to set before it: the batch's rows)"""
    model = {"tutorial": torch_peer.tutorial, "resnet20": torch_peer.resnet20}[network]().to(device, memory_format=memory_format)
    optimizer = torch.optim.Adam(torch_peer.groups(model, network), fused=True, capturable=device.type == "cuda")
    criterion = torch.nn.CrossEntropyLoss()
    images = torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8, device=device).contiguous(memory_format=memory_format)
    labels = torch.randint(0, 10, (IMAGES,), device=device)
    rows = torch.randperm(IMAGES, device=device)[:batch].clone()

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(images[rows].float() / 255), labels[rows])
        loss.backward()
        optimizer.step()

    return step, rows


def capture(step):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def rate(step, rows, device, steps):
    order = torch.randperm(IMAGES, device=device)

    def run(count):
        for i in range(count):
            first = i * len(rows) % (IMAGES - len(rows))
            rows.copy_(order[first:first + len(rows)])
            step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    run(WARM)
    rates = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run(steps)
        rates.append(steps * len(rows) / (time.perf_counter() - start))
    return {"images_per_second": statistics.median(rates), "min": min(rates), "max": max(rates)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=["tutorial", "resnet20"], default="tutorial")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--cpu", action="store_true", help="on the CPU, to see that it runs: without CUDA graphs")
    args = parser.parse_args()
    if not args.cpu and not torch.cuda.is_available():
        print("torch_gpu.py: PyTorch sees no GPU", file=sys.stderr)
        return 77
    device = torch.device("cpu" if args.cpu else "cuda")
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    formats = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    for name, memory_format in formats.items():
        for graph in [False] if args.cpu else [False, True]:
            step, rows = make_step(args.network, args.batch, memory_format, device)
            found = rate(capture(step) if graph else step, rows, device, args.steps)
            print(json.dumps({"mode": f"{name}, {'CUDA graph' if graph else 'eager'}", "torch": torch.__version__, **found}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
