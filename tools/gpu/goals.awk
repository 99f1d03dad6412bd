# The table of the goals G1 to G6 from a run's figures, as bench/harness.hpp writes them:
#   awk -f tools/gpu/goals.awk FILE.jsonl
# A figure that is not there is a goal of which nothing is known. Where one was measured more than
# once (by numbers of threads) the best counts.

function field(name,   at, rest) {
  at = index($0, "\"" name "\":")
  if (at == 0) return ""
  rest = substr($0, at + length(name) + 3)
  if (substr(rest, 1, 1) == "\"") {
    rest = substr(rest, 2)
    return substr(rest, 1, index(rest, "\"") - 1)
  }
  sub(/[,}].*/, "", rest)
  return rest
}

{
  id = field("id")
  sub(/^engines\./, "", id)
  sub(/whole\.pinned\.[0-9]+/, "whole.pinned", id)
  if (id in seen && ratio[id] + 0 >= field("ratio") + 0) next
  seen[id] = 1
  value[id] = field("value")
  beside[id] = field("beside_value")
  ratio[id] = field("ratio")
  # "zstd frames ...; 1.009 of libzstd -1's ratio"
  if (match($0, /[0-9.]+ of libzstd/)) size_ratio[id] = substr($0, RSTART, RLENGTH) + 0
}

function row(goal, what, id, figure, sense, wanted, shown, unit,   met) {
  if (!(id in seen) || figure == "") {
    met = "not measured"
    shown = "-"
  } else {
    met = (sense == "<=" ? figure + 0 <= wanted : figure + 0 >= wanted) ? "yes" : "no"
    shown = sprintf(shown, figure)
  }
  printf "%-4s %-54s %12s  %-14s %s\n", goal, what, shown, sense " " wanted unit, met
}

END {
  printf "%-4s %-54s %12s  %-14s %s\n", "id", "measure", "figure", "goal", "met?"
  id = "cuda.fingerprint"
  row("G1", "fingerprint on the card, beside a thread a row", id, ratio[id], ">=", 10, "%.2f", " times")
  id = "cuda.fingerprint.memory"
  row("G1", "the same, of what the card's memory copies", id, ratio[id] * 100, ">=", 40, "%.0f", " %")
  id = "cuda.detect"
  row("G2", "detect, beside a thread a key", id, ratio[id], ">=", 3, "%.2f", " times")
  row("G2", "the same", id, value[id] / 1e9, ">=", 4, "%.1f", " G rows/s")
  id = "cuda.aes.core"
  row("G3", "AES-256-GCM, beside one core", id, ratio[id], ">=", 40, "%.1f", " times")
  row("G3", "the same", id, value[id] / 1e9, ">=", 80, "%.0f", " GB/s")
  id = "cuda.aes.cores"
  row("G3", "the same, beside all cores (16 are meant)", id, ratio[id], ">=", 3, "%.2f", " times")
  id = "cuda.frames.compress"
  row("G4", "compress, beside libzstd -1 on all cores", id, ratio[id], ">=", 4, "%.2f", " times")
  row("G4", "the same, of its ratio", id, size_ratio[id], ">=", 0.9, "%.3f", "")
  id = "cuda.frames.compress.nvcomp"
  row("G4", "compress, beside nvCOMP's zstd", id, ratio[id], ">=", 1, "%.2f", " times")
  id = "cuda.whole.pinned.bus"
  row("G5", "rows to verdicts, of the bus", id, ratio[id] * 100, ">=", 85, "%.0f", " %")
  # All stages: as the slowest of them goes, sealing.
  wanted = 0.6 * beside[id]
  if (value["cuda.frames.compress"] + 0 < wanted) wanted = value["cuda.frames.compress"] + 0
  row("G5", "sealed by the engine, of 60 % of the bus or G4's rate", "cuda.seal", \
      wanted > 0 ? value["cuda.seal"] / wanted * 100 : "", ">=", 100, "%.0f", " %")
  id = "cuda.small"
  row("G6", "64 KB of rows, p50", id, value[id], "<=", 120, "%.1f", " us")
  id = "cuda.small.card_allocations"
  row("G6", "allocations on the card in a steady state", id, value[id], "<=", 0, "%.0f", "")
  id = "cuda.small.host_allocations"
  row("G6", "the same on the heap, a batch, the bench's among them", id, value[id], "<=", 0.01, "%.4f", "")
  id = "dispatcher"
  row("", "dispatcher: better engine's time of the chosen one's", id, value[id], ">=", 0.9, "%.3f", "")
  id = "dispatcher.calibration"
  row("", "calibration of all engines", id, value[id] / 1e6, "<=", 1, "%.3f", " s")
}
