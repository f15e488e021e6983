// A strict checker for the small XML that charts are made of; for tests only.
#pragma once

#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kerf::report {

/// Walks elements, attributes and text of one document without prolog.
class XmlChecker {
 public:
  explicit XmlChecker(std::string_view text) : rest_(text) {}

  /// What is wrong, or nothing.
  std::string check() {
    while (!rest_.empty() && error_.empty()) rest_.front() == '<' ? tag() : character();
    if (error_.empty() && !open_.empty()) error_ = "unclosed <" + open_.back() + ">";
    if (error_.empty() && n_roots_ != 1) error_ = "not one root element";
    return error_;
  }

 private:
  static bool name_character(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == ':' || c == '_';
  }
  std::string name() {
    std::size_t n = 0;
    while (n < rest_.size() && name_character(rest_[n])) ++n;
    const std::string out(rest_.substr(0, n));
    rest_.remove_prefix(n);
    if (out.empty()) error_ = "a name is missing before «" + std::string(rest_.substr(0, 20)) + "»";
    return out;
  }
  bool take(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  void spaces() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front()))) rest_.remove_prefix(1);
  }

  void character() {
    if (rest_.front() == '&') return entity();
    if (open_.empty() && !std::isspace(static_cast<unsigned char>(rest_.front())))
      error_ = "text outside the root";
    rest_.remove_prefix(1);
  }
  void entity() {
    for (const std::string_view known : {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"})
      if (take(known)) return;
    error_ = "unknown entity " + std::string(rest_.substr(0, 8));
  }
  void tag() {
    if (take("</")) {
      const std::string closed = name();
      if (open_.empty() || open_.back() != closed)
        error_ = "</" + closed + "> closes nothing";
      else
        open_.pop_back();
      if (!take(">")) error_ = "> is missing";
      return;
    }
    take("<");
    const std::string opened = name();
    if (open_.empty()) ++n_roots_;
    attributes(opened);
    if (take("/>")) return;
    if (!take(">")) error_ = "> is missing in <" + opened;
    open_.push_back(opened);
  }
  void attributes(const std::string& element) {
    std::set<std::string> seen;
    for (spaces(); error_.empty() && !rest_.empty() && name_character(rest_.front()); spaces()) {
      const std::string attribute = name();
      if (!seen.insert(attribute).second) error_ = attribute + " twice in <" + element;
      if (!take("=\"")) error_ = attribute + " has no quoted value";
      while (error_.empty() && !take("\"")) {
        if (rest_.empty() || rest_.front() == '<')
          error_ = "< or the end within a value";
        else if (rest_.front() == '&')
          entity();
        else
          rest_.remove_prefix(1);
      }
    }
  }

  std::string_view rest_;
  std::vector<std::string> open_;
  int n_roots_ = 0;
  std::string error_;
};

[[nodiscard]] inline std::string xml_defect(std::string_view text) {
  return XmlChecker(text).check();
}

}  // namespace kerf::report
