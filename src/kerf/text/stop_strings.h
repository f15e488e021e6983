// Ends generated text where one of the given strings appears, and never shows a part of it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kerf {

class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {
    std::erase_if(strings_, [](const std::string& text) { return text.empty(); });
  }

  /// Takes more text and returns what may be shown: up to the first stop string, if there is one now,
  /// otherwise all but the longest tail that could still become one.
  [[nodiscard]] std::string push(std::string_view text) {
    if (stopped_) return {};
    held_ += text;
    std::size_t end = std::string::npos;
    for (const std::string& stop : strings_) end = std::min(end, held_.find(stop));
    stopped_ = end != std::string::npos;
    if (!stopped_) end = held_.size() - undecided_tail();
    std::string shown = held_.substr(0, end);
    held_.erase(0, end);
    return shown;
  }

  /// What was held back in vain, at the end of the text.
  [[nodiscard]] std::string finish() { return stopped_ ? std::string() : std::exchange(held_, {}); }

  [[nodiscard]] bool stopped() const noexcept { return stopped_; }

 private:
  /// Length of the longest end of held_ that begins a stop string.
  [[nodiscard]] std::size_t undecided_tail() const {
    std::size_t longest = 0;
    for (const std::string& stop : strings_)
      for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > longest; --n)
        if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, n))) longest = n;
    return longest;
  }

  std::vector<std::string> strings_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace kerf
