// config.json of a Hugging Face folder: typed reads whose errors name the file and the key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/result.h"

namespace kerf {

/// A JSON object of a configuration. A key whose value is null counts as absent, as transformers has it.
/// Cheap to copy: objects inside share the document.
class HfConfig {
 public:
  /// Reads `file`. The language part of a multimodal model («text_config») is laid over the outer object.
  /// Errors: not_found, io, input (not a JSON object).
  static Result<HfConfig> read(const std::filesystem::path& file);
  /// The same for text in memory; `where` names it in errors.
  static Result<HfConfig> parse(std::string_view text, const std::string& where);

  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  [[nodiscard]] bool has(std::string_view key) const;
  /// The class of the model, first entry of «architectures». Errors: not_found, input.
  [[nodiscard]] Result<std::string> architecture() const;

  /// Typed reads. An absent key is ErrorKind::not_found, one of another type or range ErrorKind::input.
  /// A whole number from 1 to 2^31 − 1.
  [[nodiscard]] Result<std::uint64_t> count(std::string_view key) const;
  /// A number that is finite in binary32.
  [[nodiscard]] Result<double> number(std::string_view key) const;
  [[nodiscard]] Result<bool> boolean(std::string_view key) const;
  [[nodiscard]] Result<std::string> string(std::string_view key) const;
  [[nodiscard]] Result<std::vector<double>> numbers(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::string>> strings(std::string_view key) const;
  [[nodiscard]] Result<HfConfig> object(std::string_view key) const;

  /// The same with a value for an absent key; a key of another type is still an error.
  [[nodiscard]] Result<std::uint64_t> count_or(std::string_view key, std::uint64_t absent) const;
  [[nodiscard]] Result<double> number_or(std::string_view key, double absent) const;
  [[nodiscard]] Result<bool> boolean_or(std::string_view key, bool absent) const;
  [[nodiscard]] Result<std::string> string_or(std::string_view key, std::string absent) const;

 private:
  HfConfig(std::shared_ptr<const nlohmann::json> object, std::string where, std::string prefix)
      : object_(std::move(object)), where_(std::move(where)), prefix_(std::move(prefix)) {}
  /// nullptr if absent.
  [[nodiscard]] const nlohmann::json* find(std::string_view key) const;
  [[nodiscard]] Result<const nlohmann::json*> get(std::string_view key) const;
  [[nodiscard]] tl::unexpected<Error> wrong(std::string_view key, std::string_view wanted) const;

  std::shared_ptr<const nlohmann::json> object_;
  std::string where_;
  std::string prefix_;  // «rope_scaling.» inside that object
};

}  // namespace kerf
