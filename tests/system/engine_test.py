"""The options of the engine change how a step is done, not what comes out."""
import json
import unittest

import numpy as np

import support

ATTENTION = {"masksc::attention", "aten::scaled_dot_product_attention"}  # by the processor


def course(name, *options, ranks=2):
    """Losses of 12 steps from one saved stage 1, and the run's folder."""
    output = support.fresh("engine", name)
    done = support.train(output, "--sequence-model", support.BASE / "model", "--max-steps", "12", *options, ranks=ranks)
    assert done.codes == [0] * ranks, done
    return np.array([line["loss"] for line in support.steps(output)]), output


class Options(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.plain, cls.folder = course("plain")
        cls.alone, cls.alone_folder = course("alone", ranks=1)

    def test_the_same_losses(self):
        for name, *options in [("micro", "--micro-batch", "7"), ("shard", "--shard-optimizer"),
                               ("buckets", "--bucket-mib", "0.01"),
                               ("threads", "--threads", "3", "--micro-batch", "5"),
                               ("all", "--micro-batch", "4", "--shard-optimizer", "--bucket-mib", "0.02",
                                "--gradient-checkpointing", "blocks", "--threads", "2")]:
            with self.subTest(name):
                np.testing.assert_allclose(course(name, *options)[0], self.plain, rtol=1e-5)

    def test_checkpointing_gives_the_same_bits(self):
        expected = support.metrics(self.alone_folder)["weights_hash"]
        for number, options in enumerate([("--gradient-checkpointing", "blocks"), ("--gradient-checkpointing", "every=2"),
                                          ("--encoder-checkpointing", "blocks"), ("--decoder-checkpointing", "blocks")]):
            self.assertEqual(support.metrics(course(f"recompute{number}", *options, ranks=1)[1])["weights_hash"], expected)

    def test_cells_on_the_device_give_the_same_bits(self):
        output = course("resident", "--data-on-device", "yes")[1]
        self.assertEqual(support.metrics(output)["weights_hash"], support.metrics(self.folder)["weights_hash"])
        self.assertEqual([support.metrics(folder)["data"]["on_device"] for folder in (output, self.folder)], [True, False])

    def test_low_precision_is_close(self):
        for options in [("--precision", "bf16"), ("--precision", "fp16"), ("--reduce-precision", "bf16")]:
            with self.subTest(options=options):
                losses, _ = course(options[1] + options[0][2], *options)
                np.testing.assert_allclose(losses, self.plain, rtol=0.02)
                self.assertFalse(np.array_equal(losses, self.plain))

    def test_fp16_goes_on_exactly(self):
        options = ["--precision", "fp16", "--micro-batch", "9", "--shard-optimizer"]
        whole, _ = course("fp16-whole", *options)
        output = support.fresh("engine", "fp16-parts")
        shared = ["--sequence-model", support.BASE / "model", "--max-steps", "12", "--checkpoint-every-steps", "5", *options]
        self.assertEqual(support.train(output, *shared).codes, [0, 0])
        last = output / "checkpoints" / "step-00000012.h5"
        (output / "metrics.json").unlink()
        last.unlink()
        self.assertEqual(support.train(output, *shared).codes, [0, 0])
        self.assertEqual([line["loss"] for line in support.steps(output)][-2:], list(whole[-2:]))

    def test_a_step_says_where_its_time_went(self):
        parts = support.steps(self.folder)[-1]["seconds"]
        self.assertEqual(set(parts), {"data", "forward", "backward", "exposed_communication", "update"})
        self.assertGreater(parts["forward"], 0)
        training = support.metrics(self.folder)["training"]
        self.assertGreater(training["backward"], parts["backward"])
        self.assertTrue(0 <= training["hidden_communication"] <= 1)

    def test_trace(self):
        _, output = course("trace", "--profile", "3:4")
        for rank in (0, 1):
            trace = (output / f"trace-{rank}.json").read_text()
            events = json.loads(trace)["traceEvents"]
            names = [event.get("name") for event in events]
            self.assertTrue(ATTENTION.intersection(names))
            for part in ("data", "communication", "update", "ProfilerStep#3", "ProfilerStep#4"):
                self.assertIn(part, names)
            passes = [event for event in events if event.get("name") == "forward"]
            self.assertEqual(len(passes), names.count("backward"))
            self.assertEqual(json.loads(trace)["distributedInfo"], {"rank": rank, "world_size": 2})

    def test_trace_has_every_thread(self):
        output = support.fresh("engine", "threads")
        done = support.train(output, "--sequence-model", support.BASE / "model", "--max-steps", "4", "--profile", "3:3",
                             "--threads", "2", ranks=1)
        self.assertEqual(done.codes, [0], done)
        self.assertNotIn("gpuGetDeviceCount", done.err)
        events = json.loads((output / "trace-0.json").read_text())["traceEvents"]
        threads = lambda names: {event["tid"] for event in events if event.get("name") in names}
        self.assertEqual(len(threads({"forward"})), 2)
        self.assertEqual(threads({"forward"}), threads(ATTENTION))


if __name__ == "__main__":
    unittest.main()
