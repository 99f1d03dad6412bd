#include "host/config/unique_keys.hpp"

#include <algorithm>
#include <optional>

#include "host/config/resolve.hpp"

namespace syncline::config {
namespace {

using model::FieldIndex, model::KeyEquivalence;
using Why = Looser::Why;

bool has_all(const std::vector<FieldIndex>& fields, const std::vector<FieldIndex>& wanted) {
  return std::ranges::all_of(
      wanted, [&](FieldIndex one) { return std::ranges::find(fields, one) != fields.end(); });
}

KeyEquivalence equivalence_of(const UniqueKey& key, FieldIndex field) {
  const auto at = std::ranges::find(key.fields, field) - key.fields.begin();
  return key.equivalences[static_cast<size_t>(at)];
}

// What the coarsest of its fields' equivalences takes for one.
std::string folded_text(const UniqueKey& key) {
  KeyEquivalence coarsest = KeyEquivalence::kBytes;
  for (const KeyEquivalence one : key.equivalences) {
    if (is_coarser(one, coarsest)) coarsest = one;
  }
  if (coarsest == KeyEquivalence::kBytes) return {};
  return coarsest == KeyEquivalence::kTrailingSpaces ? "trailing spaces" : "upper and lower case";
}

class Search {
 public:
  Search(const model::Schema& schema, std::span<const Keeper> keepers)
      : schema_(schema), keepers_(keepers) {}

  std::vector<Looser> run() {
    for (size_t at = 0; at < keepers_.size(); ++at) {
      if (keepers_[at].is_read) look_at(at);
    }
    for (Looser& one : found_) one.what = text_of(one);
    return std::move(found_);
  }

 private:
  void look_at(size_t loose) {
    for (size_t strict = 0; strict < keepers_.size(); ++strict) {
      if (strict == loose || !keepers_[strict].is_written) continue;
      for (size_t key = 0; key < keepers_[strict].uniques.size(); ++key) {
        look_at(loose, strict, key);
      }
    }
  }

  // Whoever keeps the dataset's key keeps what has it in it.
  bool has_dataset_key(const UniqueKey& key) const {
    for (size_t field = 0; field < schema_.key_count; ++field) {
      if (!has_all(key.fields, {static_cast<FieldIndex>(field)})) return false;
    }
    return true;
  }

  void look_at(size_t loose, size_t strict, size_t place) {
    const UniqueKey& key = keepers_[strict].uniques[place];
    if (has_dataset_key(key)) return;
    std::optional<Why> why = Why::kLacks;
    for (const UniqueKey& own : keepers_[loose].uniques) {
      if (!why || !has_all(key.fields, own.fields)) continue;
      const std::optional<Why> closer = looser_by(keepers_[loose], own, keepers_[strict], key);
      why = closer ? std::max(*why, *closer) : closer;
    }
    if (why)
      add({.keeper = loose, .strict = {strict}, .keys = {place}, .why = *why, .wanted = key});
  }

  // Nothing where all that own lets through, key does too.
  std::optional<Why> looser_by(const Keeper& loose, const UniqueKey& own, const Keeper& strict,
                               const UniqueKey& key) const {
    const auto any = [&](const auto& is_so) { return std::ranges::any_of(own.fields, is_so); };
    if (any([&](FieldIndex field) {
          return is_coarser(equivalence_of(key, field), equivalence_of(own, field));
        })) {
      return Why::kFiner;
    }
    const bool may_be_null =
        any([&](FieldIndex field) { return schema_.fields[field].is_nullable; });
    if (key.are_nulls_equal && !own.are_nulls_equal && may_be_null) return Why::kNulls;
    if (any([&](FieldIndex field) { return is_spelled_only_in(loose, strict, field); })) {
      return Why::kSpelled;
    }
    return std::nullopt;
  }

  static bool is_spelled_only_in(const Keeper& loose, const Keeper& strict, FieldIndex field) {
    return has_all(loose.spelled, {field}) && !has_all(strict.spelled, {field});
  }

  // Several systems may refuse for one reason.
  void add(Looser&& more) {
    const auto same = std::ranges::find_if(found_, [&](const Looser& one) {
      return one.keeper == more.keeper && one.why == more.why &&
             one.wanted.fields.size() == more.wanted.fields.size() &&
             has_all(one.wanted.fields, more.wanted.fields);
    });
    if (same == found_.end()) {
      found_.push_back(std::move(more));
      return;
    }
    same->strict.push_back(more.strict.front());
    same->keys.push_back(more.keys.front());
    same->wanted.are_nulls_equal |= more.wanted.are_nulls_equal;
    for (size_t i = 0; i < same->wanted.fields.size(); ++i) {
      const KeyEquivalence one = equivalence_of(more.wanted, same->wanted.fields[i]);
      if (is_coarser(one, same->wanted.equivalences[i])) same->wanted.equivalences[i] = one;
    }
  }

  std::string fields_text(const UniqueKey& key) const {
    std::string text;
    for (const FieldIndex field : key.fields) {
      text += (text.empty() ? "(" : ", ") + schema_.fields[field].name;
    }
    return text + ")";
  }

  std::string strict_text(const Looser& found) const {
    std::string text;
    for (size_t i = 0; i < found.strict.size(); ++i) {
      const bool is_again = i > 0 && found.strict[i] == found.strict[i - 1];
      if (!is_again) text += (text.empty() ? "" : " and ") + keepers_[found.strict[i]].table;
    }
    return text;
  }

  bool is_spelled(const Looser& found) const {
    return std::ranges::any_of(found.wanted.fields, [&](FieldIndex field) {
      return std::ranges::any_of(found.strict, [&](size_t strict) {
        return is_spelled_only_in(keepers_[found.keeper], keepers_[strict], field);
      });
    });
  }

  std::string text_of(const Looser& found) const {
    const std::string fields = fields_text(found.wanted);
    const std::string& loose = keepers_[found.keeper].table;
    const std::string strict = strict_text(found);
    const std::string folded = folded_text(found.wanted);
    std::string text;
    switch (found.why) {
      case Why::kLacks:
        text = fields + " is unique in " + strict + ", not in " + loose;
        break;
      case Why::kFiner:
        text = fields + " takes more values for one in " + strict + " than in " + loose;
        break;
      case Why::kNulls:
        text = fields + " is NULL in one row at most in " + strict + ", in any number in " + loose;
        break;
      case Why::kSpelled:
        text = fields + " is unique in " + strict + ", and as a text in " + loose;
        break;
    }
    text += ": what is fine in " + loose + " may be refused by the other, and waits in quarantine";
    if (!folded.empty() && found.why <= Why::kFiner) {
      text += "; values that differ in " + folded + " only are one there";
    }
    if (found.wanted.are_nulls_equal && found.why != Why::kNulls) text += "; so are NULLs";
    if (is_spelled(found)) {
      text += "; spelled in two ways (1.5, 1.50), a value is two in " + loose + " and one there";
    }
    return text;
  }

  const model::Schema& schema_;
  std::span<const Keeper> keepers_;
  std::vector<Looser> found_;
};

}  // namespace

std::vector<Looser> find_looser(const model::Schema& schema, std::span<const Keeper> keepers) {
  return Search(schema, keepers).run();
}

}  // namespace syncline::config
