"""masksc_train --plan: what a run would need, without its input, output and GPUs."""
import json
import subprocess
import unittest

import anndata

import support

PAPER = ["--config", str(support.ROOT / "configs" / "paper.ini")]


def direct(*arguments):
    return subprocess.run([support.program("masksc_train"), *arguments], capture_output=True, text=True, timeout=60,
                          env=support.environment())


def plan(*arguments):
    done = direct(*PAPER, "--plan", "--json", *arguments)
    if done.returncode != 0:
        raise AssertionError(f"exit code {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


class Plan(unittest.TestCase):
    def test_json_of_the_paper_alone_and_on_two_ranks(self):
        alone = plan()
        self.assertEqual(alone["parameters"], 142805052)
        self.assertEqual(alone["flop_per_cell"], 126769876992)  # ../shared/bench/torch_peer.py
        self.assertEqual([point["gpus"] for point in alone["curve"]["weak"]], [2**i for i in range(11)])
        done = support.run("masksc_train", *PAPER, "--plan", "--json", ranks=2)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(json.loads(done.out), alone)

    def test_table_says_it_fits_and_what_is_assumed(self):
        done = direct(*PAPER, "--plan")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("142.81 M", "fits the 79 GiB of h100", "every=4", "Assumed, not measured", "1024"):
            self.assertIn(word, done.stdout)
        self.assertNotIn("Left out", done.stdout)
        cores = direct("--plan", "--plan-device", "cpu", "--deterministic").stdout
        self.assertIn("Left out: what --deterministic costs", cores)
        self.assertIn("Left out: the program itself", cores)

    def test_defaults_need_no_configuration(self):
        done = direct("--plan", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["tokens"]["all"], 16)  # 2000 genes: 44 x 44, patches of 11 x 11

    def test_an_input_tells_its_size(self):
        done = direct("--plan", "--json", "--plan-ranks", "2", "--input", str(support.SIMULATED))
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual((found["cells"], found["tokens"]["all"]), (support.CELLS, 16))
        self.assertLess(found["parameters"], json.loads(direct("--plan", "--json").stdout)["parameters"])  # 25 genes a patch
        done = direct("--plan", "--json", "--plan-cells", "1000", "--plan-ranks", "2", "--input", str(support.SIMULATED))
        self.assertEqual(json.loads(done.stdout)["cells"], 1000)
        genes = support.fresh("plan_genes.txt")
        genes.write_text("\n".join(anndata.read_h5ad(support.SIMULATED).var_names[:64]))
        listed = direct("--plan", "--json", "--plan-ranks", "2", "--input", str(support.SIMULATED), "--genes", str(genes),
                        "--plan-cells", "4271")
        few = direct("--plan", "--json", "--plan-ranks", "2", "--plan-genes", "64")
        self.assertEqual(json.loads(listed.stdout), json.loads(few.stdout))

    def test_genes_that_do_not_fill_the_matrix(self):
        self.assertEqual(plan("--plan-genes", "2048")["tokens"]["all"], 128)
        full, more = plan(), plan("--plan-genes", "20000")
        # Genes beyond the matrix are read, and left out of the model.
        counts, all_counts = full.pop("host_counts_bytes"), more.pop("host_counts_bytes")
        self.assertEqual(more, full)
        self.assertGreater(all_counts["resident"], 4 * counts["resident"])

    def test_counts_on_the_device_are_data(self):
        data = lambda *options: plan(*options)["memory_bytes"]["data"]
        counts = 8 * 4271 * 4096 * 0.1  # of the genes of the matrix, by the defaults of --plan-cells and --plan-density
        self.assertAlmostEqual(data() - data("--data-on-device", "no"), counts, delta=16)
        self.assertEqual(data(), data("--data-on-device", "yes"))
        many = ["--plan-cells", "100000000"]  # over a quarter of a GPU
        self.assertEqual(data(*many), data(*many, "--data-on-device", "no"))

    def test_a_cuda_graph_takes_the_hosts_part_away(self):
        small = ["--dim", "192", "--batch-size", "32"]
        asked, recorded = plan(*small), plan(*small, "--cuda-graph")
        self.assertLess(recorded["step"]["compute"], 0.5 * asked["step"]["compute"])
        refused = direct("--plan", "--plan-device", "cpu", "--cuda-graph")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("--plan-device", refused.stderr)

    def test_a_rank_takes_its_batch_whole_on_any_number_of_gpus(self):
        # The host's part of a step of many passes would show on few GPUs.
        first = [plan("--plan-ranks", ranks)["curve"]["strong"][0]["seconds_per_step"] for ranks in ("1", "64")]
        self.assertAlmostEqual(*first, places=12)

    def test_options_change_the_machine(self):
        first, other = plan(), plan("--plan-ranks", "64", "--plan-network", "1gbe", "--plan-device", "a100",
                                    "--plan-utilization", "0.2")
        self.assertGreater(other["step"]["exposed_communication"], first["step"]["exposed_communication"])
        self.assertLess(other["memory_bytes"]["activations"], first["memory_bytes"]["activations"])
        self.assertEqual(other["assumed"]["utilization"], 0.2)

    def test_deterministic_keeps_gradients_of_each_shard(self):
        ordinary = plan("--plan-ranks", "2")["memory_bytes"]
        shards = plan("--plan-ranks", "2", "--deterministic")["memory_bytes"]
        self.assertEqual(shards["gradients"], 4 * ordinary["gradients"])
        self.assertLessEqual(shards["activations"], ordinary["activations"])

    def test_refusals(self):
        for arguments, words in [(["--plan-device", "h300"], ["--plan-device", "h300", "h200"]),
                                 (["--plan-ranks", "257"], ["--batch-size 256", "257"]),
                                 (["--plan-ranks", "0"], ["--plan-ranks", "0"]),
                                 (["--plan-ranks", "3", "--deterministic"], ["1, 2, 4, 8 ranks, not 3"]),
                                 (["--patch", "5"], ["--patch 5", "64x64"]),
                                 (["--mask-ratio", "0.999"], ["--mask-ratio", "0.999"])]:
            with self.subTest(arguments=arguments):
                done = direct(*PAPER, "--plan", *arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                for word in words:
                    self.assertIn(word, done.stderr)
        done = direct(*PAPER, "--json")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--plan", done.stderr)

    def test_configurations_hold_no_plan(self):
        path = support.fresh("plan.ini")
        path.write_text("plan-ranks = 4\n")
        done = direct("--config", str(path), "--plan")
        self.assertEqual(done.returncode, 2)
        self.assertIn("plan-ranks", done.stderr)


if __name__ == "__main__":
    unittest.main()
