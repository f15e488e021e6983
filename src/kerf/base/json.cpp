#include "kerf/base/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace kerf {
namespace {

constexpr int kMaxDepth = 64;

/// Watches the parser: counts depth and refuses a key that its object already has.
class Guard {
 public:
  bool operator()(int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > kMaxDepth) throw std::length_error("nesting is deeper than 64");
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key && !keys_.back().insert(parsed.get_ref<const std::string&>()).second)
      throw std::length_error(fmt::format("key «{}» appears twice", parsed.get_ref<const std::string&>()));
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, const std::string& where) {
  try {
    return nlohmann::json::parse(text.begin(), text.end(), Guard{});
  } catch (const nlohmann::json::parse_error& error) {
    return fail(ErrorKind::input, where, fmt::format("is not valid JSON at byte {}", error.byte));
  } catch (const nlohmann::json::out_of_range&) {
    return fail(ErrorKind::input, where, "is not valid JSON: a number is too large");
  } catch (const std::length_error& error) {
    return fail(ErrorKind::input, where, error.what());
  }
}

}  // namespace kerf
