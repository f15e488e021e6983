// kerf map: quantize numbers before one's eyes, by any scheme.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kerf/base/file.h"
#include "kerf/cli/common.h"
#include "kerf/cli/map_report.h"
#include "kerf/io/printable.h"

namespace kerf::cli {
namespace {

using nlohmann::json;

// Numbers and groups listed in JSON; the rest is only counted.
constexpr std::size_t kListed = 4096;

/// What was asked for, before names are looked up.
struct Request {
  std::string values, file, tensor, importance, svg;
  std::uint64_t n_rows = 0;
  std::string scheme = "absmax";
  int bits = 0;
  std::string granularity = "tensor";
  std::string rounding = "nearest-even";
  std::string parameters = "f32";
  bool symmetric = false;
  bool asymmetric = false;
  bool list = false;
  MappingOptions options;
};

std::string scheme_names() {
  std::vector<std::string_view> names;
  for (const Mapping* mapping : all_mappings()) names.push_back(mapping->name);
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<const Mapping*> wanted_mapping(const std::string& name) {
  if (const Mapping* mapping = find_mapping(name)) return mapping;
  std::vector<std::string_view> similar;
  for (const Mapping* mapping : all_mappings())
    if (!name.empty() && mapping->name.find(name) != std::string_view::npos) similar.push_back(mapping->name);
  return fail(ErrorKind::usage, "--scheme",
              similar.empty()
                  ? fmt::format("there is no scheme «{}»; there are {}", printable(name, 40), scheme_names())
                  : fmt::format("«{}» is not precise; did you mean {}?", printable(name, 40),
                                fmt::join(similar, " or ")));
}

/// One mapping, several separated by commas, or «all»: every one that can do without importance, or with.
Result<std::vector<const Mapping*>> wanted_mappings(const Request& request) {
  std::vector<const Mapping*> out;
  if (request.scheme == "all") {
    for (const Mapping* mapping : all_mappings())
      if (!mapping->needs_importance || !request.importance.empty()) out.push_back(mapping);
    return out;
  }
  for (std::size_t begin = 0; begin <= request.scheme.size();) {
    const std::size_t end = std::min(request.scheme.find(',', begin), request.scheme.size());
    KERF_TRY(const Mapping* mapping, wanted_mapping(request.scheme.substr(begin, end - begin)));
    out.push_back(mapping);
    begin = end + 1;
  }
  return out;
}

Result<void> read_options(Request& request) {
  const auto rounding = find_rounding_mode(request.rounding);
  if (!rounding)
    return fail(
        ErrorKind::usage, "--rounding",
        fmt::format("«{}» is none of nearest-even, nearest-away, nearest-up, toward-zero, floor, ceil "
                    "and stochastic",
                    printable(request.rounding, 40)));
  const auto parameters = find_parameter_type(request.parameters);
  if (!parameters)
    return fail(ErrorKind::usage, "--parameters",
                fmt::format("«{}» is none of f64, f32, f16 and bf16", printable(request.parameters, 40)));
  request.options.bits = request.bits;
  request.options.rounding = *rounding;
  request.options.parameters = *parameters;
  if (request.symmetric) request.options.symmetric = true;
  if (request.asymmetric) request.options.symmetric = false;
  return {};
}

Result<MapSource> open_source(const Request& request) {
  if (request.values.empty() == request.file.empty())
    return fail(ErrorKind::usage, "", "give either --values 0.34,3.75,… or --file X");
  if (request.values.empty()) return open_map_source(request.file, request.tensor, request.n_rows);
  if (!request.tensor.empty() || request.n_rows != 0)
    return fail(ErrorKind::usage, "", "--tensor and --rows go with --file");
  MapSource out;
  KERF_TRY(out.x, parse_numbers(request.values, "--values"));
  out.n_columns = out.x.size();
  return out;
}

class MapRun {
 public:
  MapRun(const Request& request, const MapSource& source, std::vector<double> importance,
         Granularity granularity, Invocation& invocation)
      : request_(request),
        source_(source),
        importance_(std::move(importance)),
        granularity_(granularity),
        pool_(invocation.common().threads),
        progress_(invocation.progress()) {}

  Result<MapReport> one(const Mapping& mapping, const MappingOptions& options) {
    MapReport report;
    report.mapping = &mapping;
    report.source = &source_;
    report.granularity = granularity_;
    KERF_TRY(report.mapped, map_tensor(mapping, source_.x, importance_, source_.n_rows, granularity_, options,
                                       pool_, progress_));
    report.errors = errors_of(source_.x, report.mapped);
    report.bits_per_weight = report.mapped.bits_per_weight();
    return report;
  }

  /// The mappings with the bits that were asked for or, where that is not possible, with their own.
  Result<std::vector<MapReport>> all(const std::vector<const Mapping*>& mappings,
                                     std::vector<ImpossibleScheme>& impossible) {
    constexpr int kBits = 4;
    std::vector<MapReport> reports;
    for (const Mapping* mapping : mappings) {
      MappingOptions options = request_.options;
      options.bits = request_.bits == 0 ? kBits : request_.bits;
      if (options.bits < mapping->bits_min || options.bits > mapping->bits_max) options.bits = 0;
      auto report = one(*mapping, options);
      if (report) {
        if (source_.x.size() > kMostCompared) report->mapped.groups.resize(1);
        reports.push_back(*std::move(report));
        continue;
      }
      const ErrorKind kind = report.error().kind;
      if (kind != ErrorKind::usage && kind != ErrorKind::input) return tl::unexpected<Error>(report.error());
      impossible.push_back({mapping, report.error().message()});
    }
    if (reports.empty()) return fail(ErrorKind::input, "--scheme", impossible.front().reason);
    return reports;
  }

 private:
  const Request& request_;
  const MapSource& source_;
  std::vector<double> importance_;
  Granularity granularity_;
  ThreadPool pool_;
  Progress& progress_;
};

json errors_as_json(const MappingErrors& e) {
  return {{"mean_squared", e.mean_squared}, {"largest", e.largest}, {"largest_at", e.largest_at},
          {"relative", e.relative},         {"sqnr_db", e.sqnr_db}, {"clipped", e.n_clipped}};
}

json group_as_json(const MappedGroup& group, bool with_levels) {
  json out = {{"scale", group.scale}, {"offset", group.offset}, {"parameter_bits", group.parameter_bits}};
  if (group.zero) out["zero_point"] = *group.zero;
  if (with_levels) out["levels"] = group.levels->level;
  return out;
}

json summary_as_json(const MapReport& report) {
  const MappedTensor& mapped = report.mapped;
  return {{"scheme", report.mapping->name},
          {"bits", mapped.options.bits},
          {"levels", mapped.groups[0].levels->size()},
          {"symmetric", *mapped.options.symmetric},
          {"bits_per_weight", report.bits_per_weight},
          {"errors", errors_as_json(report.errors)}};
}

json as_json(const MapReport& report) {
  const MappedTensor& mapped = report.mapped;
  json out = summary_as_json(report);
  out["source"] = report.source->name;
  out["rounding"] = name_of(mapped.options.rounding);
  if (mapped.options.rounding == RoundingMode::stochastic) out["seed"] = mapped.options.seed;
  out["parameters"] = name_of(mapped.options.parameters);
  out["granularity"] = name_of(report.granularity);
  out["shape"] = {mapped.n_rows, mapped.n_columns};
  out["group_size"] = mapped.group_size;
  out["n_groups"] = mapped.groups.size();
  json steps = json::array();
  for (const Step& step : mapped.steps)
    steps.push_back({{"symbol", step.symbol},
                     {"formula", step.formula},
                     {"numbers", step.numbers},
                     {"value", step.value}});
  out["steps"] = steps;
  json groups = json::array();
  for (std::size_t g = 0; g < std::min(kListed, mapped.groups.size()); ++g)
    groups.push_back(
        group_as_json(mapped.groups[g], g == 0 || mapped.groups[g].levels != mapped.groups[0].levels));
  out["groups"] = groups;
  json codes = json::array();
  json restored = json::array();
  for (std::size_t i = 0; i < std::min(kListed, report.source->x.size()); ++i) {
    codes.push_back(report.code_number(i));
    restored.push_back(report.restored(i));
  }
  out["codes"] = codes;
  out["restored"] = restored;
  out["listed"] = codes.size();
  return out;
}

json comparison_as_json(const std::vector<MapReport>& reports,
                        const std::vector<ImpossibleScheme>& impossible) {
  json schemes = json::array();
  for (const MapReport& report : reports) schemes.push_back(summary_as_json(report));
  json others = json::array();
  for (const ImpossibleScheme& scheme : impossible)
    others.push_back({{"scheme", scheme.mapping->name}, {"reason", scheme.reason}});
  return {{"source", reports.front().source->name},
          {"shape", {reports.front().source->n_rows, reports.front().source->n_columns}},
          {"granularity", name_of(reports.front().granularity)},
          {"schemes", schemes},
          {"not_possible", others}};
}

json schemes_as_json() {
  json schemes = json::array();
  for (const Mapping* mapping : all_mappings())
    schemes.push_back({{"scheme", mapping->name},
                       {"summary", mapping->summary},
                       {"bits_min", mapping->bits_min},
                       {"bits_max", mapping->bits_max},
                       {"bits_default", mapping->bits_default}});
  return {{"schemes", schemes}};
}

std::size_t terminal_columns() {
  constexpr std::size_t kUnknown = 76;
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUnknown;
}

Result<void> compare(const Request& request, const std::vector<const Mapping*>& mappings, MapRun& run,
                     bool as_json) {
  if (!request.svg.empty())
    return fail(ErrorKind::usage, "--svg", "draws one scheme; name a single one with --scheme");
  std::vector<ImpossibleScheme> impossible;
  KERF_TRY(const auto reports, run.all(mappings, impossible));
  if (as_json)
    print_json(comparison_as_json(reports, impossible));
  else
    fmt::print("{}", comparison_text(reports, impossible));
  return {};
}

Result<void> map(Request& request, Invocation& invocation) {
  if (request.list) {
    invocation.common().json ? print_json(schemes_as_json()) : fmt::print("{}", scheme_table());
    return {};
  }
  KERF_CHECK_OK(read_options(request));
  KERF_TRY(const Granularity granularity, parse_granularity(request.granularity));
  KERF_TRY(const auto mappings, wanted_mappings(request));
  // Before a large file is read for nothing.
  if (mappings.size() == 1) KERF_CHECK_OK(complete_options(*mappings[0], request.options));
  KERF_TRY(const MapSource source, open_source(request));
  std::vector<double> importance;
  if (!request.importance.empty()) {
    KERF_TRY(importance, open_weights(request.importance));
  }
  MapRun run(request, source, std::move(importance), granularity, invocation);
  if (mappings.size() > 1) return compare(request, mappings, run, invocation.common().json);
  KERF_TRY(const MapReport report, run.one(*mappings[0], request.options));
  if (!request.svg.empty()) KERF_CHECK_OK(write_file(request.svg, map_svg(report)));
  if (invocation.common().json)
    print_json(as_json(report));
  else
    fmt::print("{}", map_text(report, terminal_columns()));
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_map,
                        "kerf map --values 0.34,3.75,5.64,1.12,2.7,-0.9,-4.7,0.68,1.43 --scheme zero-point");
  Request request;
  CLI::App& app = invocation.app();
  app.add_option("--values", request.values, "numbers, separated by commas or spaces");
  app.add_option("--file", request.file, ".npy array, or a model (with --tensor)");
  app.add_option("--tensor", request.tensor, "name of a tensor of the model");
  app.add_option("--rows", request.n_rows, "only the first rows of the file; 0 is all")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--scheme", request.scheme, "one of --list, several separated by commas, or all");
  app.add_flag("--list", request.list, "list the schemes");
  app.add_option("--bits", request.bits, "of a code; without, what the scheme is made for");
  app.add_option("--granularity", request.granularity,
                 "which numbers share a scale: tensor, channel, token, group:N");
  CLI::Option* symmetric =
      app.add_flag("--symmetric", request.symmetric, "levels on both sides of zero alike");
  app.add_flag("--asymmetric", request.asymmetric, "levels where the numbers are")->excludes(symmetric);
  app.add_option("--rounding", request.rounding,
                 "nearest-even, nearest-away, nearest-up, toward-zero, floor, ceil, stochastic");
  app.add_option("--seed", request.options.seed, "of stochastic rounding");
  app.add_option("--percentile", request.options.percentile, "per cent that «percentile» does not clip");
  app.add_option("--power", request.options.power, "of the errors that «mse» adds up (GPTQ: 2.4)");
  app.add_option("--importance", request.importance, "a weight per column: numbers, or a .npy array");
  app.add_option("--parameters", request.parameters, "how scales are stored: f64, f32, f16, bf16");
  app.add_option("--svg", request.svg, "write a drawing: histogram, grid, what is clipped");
  return invocation.run(arguments, [&] { return map(request, invocation); });
}

}  // namespace

const Command cmd_map{"map", "quantize numbers before one's eyes, by any scheme", run};

}  // namespace kerf::cli
