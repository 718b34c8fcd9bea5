"""The convoy command: what is run and which of its figures count."""
import json

from peers.process import Failed, run

EPOCH_OVER = "Epoch 1/1 "  # so begins the line on stderr when the only epoch is over


class Convoy:
    """The command at `path` on a device; `environment` may put another OpenCL runtime under it, `options` change it."""

    def __init__(self, path, device, environment=None, options=(), model="cifar10"):
        self.path, self.model = path, model
        self.environment = {"CONVOY_DEVICE": device, **(environment or {})}
        self.options = list(options)

    def variation(self, **changes):
        """The same command on the same device, with other options or another model."""
        return Convoy(self.path, self.environment["CONVOY_DEVICE"], **changes)

    def json_of(self, arguments, extra=None, mark=None):
        finished = run([self.path, *arguments, "--json"], {**self.environment, **(extra or {})}, mark)
        try:
            return json.loads(finished.output), finished
        except ValueError as error:
            raise Failed(f"{self.path} {arguments[0]}: no JSON object: {error}") from error

    def version(self):
        return run([self.path, "--version"]).output.strip().removeprefix("convoy ")

    def device(self):
        """{"platform", "name", "driver_version", ...} of the device that runs take."""
        devices = self.json_of(["devices"])[0]["devices"]
        chosen = [device for device in devices if device["default"]]
        if not chosen:
            raise Failed(f"no OpenCL device fits '{self.environment['CONVOY_DEVICE']}'; see {self.path} devices")
        return chosen[0]

    def train(self, folder, batch, epochs=1, output=None, extra=None):
        """(the result, how it ran); the mark is the end of the only epoch."""
        arguments = ["train", self.model, "--data", folder, "--epochs", epochs, "--batch-size", batch, *self.options]
        if output is not None:
            arguments += ["-o", output]
        return self.json_of(arguments, extra, EPOCH_OVER if epochs == 1 else None)

    def train_seconds(self, folder, batch, epochs):
        """Seconds of each of `epochs` epochs; one before them is not counted, as with the peers."""
        return [epoch["seconds"] for epoch in self.train(folder, batch, 1 + epochs)[0]["epochs"][1:]]

    def export(self, source, target):
        run([self.path, "export", source, "-o", target], self.environment)

    def bench(self, batch):
        return self.json_of(["bench", self.model, "--batch-size", batch, *self.options])[0]

    def predict_rate(self, batch):
        return self.bench(batch)["prediction"]["images_per_second"]
