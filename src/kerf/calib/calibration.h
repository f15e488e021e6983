// Calibration: what observers saw at the sites of a model, joined and kept in a file.
//
// The file is GGUF, so that any tool for it can look inside. Metadata: general.type «calibration»,
// kerf.calibration.version, and two arrays of equal length, kerf.calibration.sites and .observers; entry n is
// observer observers[n] at site sites[n], and field F of its state is the one-dimensional tensor «n.F» of I64
// or F64. Fields without values are not stored. Entries are sorted, so equal calibrations are equal bytes.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "kerf/calib/observer.h"
#include "kerf/io/container.h"

namespace kerf {

class Calibration {
 public:
  using Key = std::pair<std::string, std::string_view>;  ///< site, observer

  /// The observer of this kind at a site, made at the first call. Valid as long as the calibration is.
  Observer& at(const std::string& site, const ObserverKind& kind);
  /// nullptr if there is none.
  [[nodiscard]] const Observer* find(const std::string& site, const ObserverKind& kind) const;
  [[nodiscard]] const std::map<Key, std::unique_ptr<Observer>>& entries() const noexcept { return entries_; }

  /// Adds what another one saw. Errors: input (other numbers of channels at a site), and then some entries
  /// may have been joined already.
  Result<void> merge(const Calibration& other);

  /// The mean squares of every site with a second-moment observer, in the form that other programs read
  /// (importance.h); a site is then the name of a weight, or of an
  /// expert's matrix of one (expert_site()), which become one entry with a row for each. Errors: those of
  /// Observer::importance().
  [[nodiscard]] Result<ImportanceMatrix> importance_matrix() const;

  /// Writes beside the target and renames. Errors: io, resource.
  Result<void> save(const std::filesystem::path& path) const;
  /// Errors: not_found, io, input (damaged), unsupported (of a later version, or with unknown observers).
  static Result<Calibration> load(const std::filesystem::path& path);
  /// The same from an opened file, whose path names it in errors.
  static Result<Calibration> from(const Container& container);

 private:
  std::map<Key, std::unique_ptr<Observer>> entries_;
};

}  // namespace kerf
