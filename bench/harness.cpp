#include "bench/harness.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <time.h>

namespace syncline::bench {
namespace {

double seconds_now(Time time) {
  timespec now{};
  clock_gettime(time == Time::kWall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double rate_of(const Work& work, Time time) {
  const double start = seconds_now(time);
  const double units = work();
  return units / (seconds_now(time) - start);
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') out.push_back('\\');
    out.push_back(letter);
  }
  return out + "\"";
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string readable(double value) {
  char text[40];
  if (value >= 1e6) {
    std::snprintf(text, sizeof text, "%.2f M", value / 1e6);
  } else if (value >= 1e4) {
    std::snprintf(text, sizeof text, "%.1f k", value / 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.2f", value);
  }
  return text;
}

}  // namespace

int repetitions(const Options& options) {
  return options.is_quick ? 5 : 9;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double spread(const std::vector<double>& values) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return (*most - *least) / median(values);
}

Figure measure_rate(const Options& options, const std::string& id, const std::string& what,
                    const std::string& unit, const Work& ours, const Contestant& peer, Time time) {
  std::vector<double> our_rates;
  std::vector<double> peer_rates;
  std::vector<double> ratios;
  ours();
  if (peer.work) peer.work();
  const int runs = repetitions(options);
  for (int i = 0; i < runs; ++i) {
    our_rates.push_back(rate_of(ours, time));
    if (!peer.work) continue;
    peer_rates.push_back(rate_of(peer.work, time));
    ratios.push_back(our_rates.back() / peer_rates.back());
  }
  Figure figure;
  figure.id = id;
  figure.what = what;
  figure.unit = unit;
  figure.value = median(our_rates);
  figure.runs = runs;
  figure.spread = spread(our_rates);
  if (peer.work) {
    figure.beside = peer.name;
    figure.beside_value = median(peer_rates);
    figure.ratio = median(ratios);
  }
  return figure;
}

void report(const Figure& figure) {
  const bool has_peer = !figure.beside.empty();
  std::printf(
      "{\"id\":%s,\"what\":%s,\"value\":%s,\"unit\":%s,\"beside\":%s,\"beside_value\":%s,"
      "\"ratio\":%s,\"spread\":%s,\"runs\":%d}\n",
      quoted(figure.id).c_str(), quoted(figure.what).c_str(), number(figure.value).c_str(),
      quoted(figure.unit).c_str(), has_peer ? quoted(figure.beside).c_str() : "null",
      has_peer ? number(figure.beside_value).c_str() : "null",
      has_peer ? number(figure.ratio).c_str() : "null", number(figure.spread).c_str(), figure.runs);
  std::fflush(stdout);
  std::fprintf(stderr, "%-22s %12s %-14s ±%4.1f %%", figure.id.c_str(),
               readable(figure.value).c_str(), figure.unit.c_str(), figure.spread * 100);
  if (has_peer) {
    std::fprintf(stderr, "   %5.2f x %s (%s)", figure.ratio, figure.beside.c_str(),
                 readable(figure.beside_value).c_str());
  }
  std::fprintf(stderr, "   %s\n", figure.what.c_str());
}

int run_benches(int argument_count, char** arguments, const std::vector<BenchRow>& rows) {
  Options options;
  bool is_strict = false;
  for (int i = 1; i < argument_count; ++i) {
    if (std::strcmp(arguments[i], "--quick") == 0) {
      options.is_quick = true;
    } else if (std::strcmp(arguments[i], "--strict") == 0) {
      is_strict = true;
    } else if (std::strcmp(arguments[i], "--only") == 0 && i + 1 < argument_count) {
      options.only = arguments[++i];
    } else if (std::strcmp(arguments[i], "--records") == 0 && i + 1 < argument_count) {
      options.record_count = std::strtoull(arguments[++i], nullptr, 10);
    } else if (std::strcmp(arguments[i], "--list") == 0) {
      for (const BenchRow& row : rows) std::printf("%s\n", row.id);
      return 0;
    } else {
      std::fprintf(stderr, "usage: %s [--quick] [--strict] [--only ID] [--records N] [--list]\n",
                   arguments[0]);
      return 2;
    }
  }
  bool has_run = false;
  for (const BenchRow& row : rows) {
    if (std::strncmp(row.id, options.only.c_str(), options.only.size()) != 0) continue;
    row.run(options);
    has_run = true;
  }
  if (!has_run) {
    std::fprintf(stderr, "no bench is called %s; --list names them\n", options.only.c_str());
    return 2;
  }
  for (const std::string& id : *options.misses) {
    std::fprintf(stderr, "%s misses its goal\n", id.c_str());
  }
  return is_strict && !options.misses->empty() ? 1 : 0;
}

}  // namespace syncline::bench
