#include "kerf/cli/eval_json.h"

namespace kerf::cli {

nlohmann::json eval_as_json(const EvalResult& r) {
  nlohmann::json json = {{"ctx", r.ctx},
                         {"windows", r.n_windows},
                         {"perplexity", r.perplexity},
                         {"perplexity_se", r.perplexity_se},
                         {"nll_mean", r.nll_mean},
                         {"bits_per_byte", r.bits_per_byte},
                         {"tokens_scored", r.tokens_scored},
                         {"seconds", r.seconds}};
  if (!r.comparison) return json;
  const Comparison& c = *r.comparison;
  nlohmann::json tail = nlohmann::json::array();
  for (const TailPoint& point : c.kld_tail) tail.push_back({{"share", point.share}, {"kld", point.kld}});
  json.update({{"perplexity_base", c.perplexity_base},
               {"perplexity_ratio", c.perplexity_ratio},
               {"perplexity_ratio_se", c.perplexity_ratio_se},
               {"kld_mean", c.kld_mean},
               {"kld_se", c.kld_se},
               {"kld_median", c.kld_median},
               {"kld_p90", c.kld_p90},
               {"kld_p95", c.kld_p95},
               {"kld_p99", c.kld_p99},
               {"kld_p999", c.kld_p999},
               {"kld_max", c.kld_max},
               {"kld_tail", std::move(tail)},
               {"same_top_percent", c.same_top_percent},
               {"same_top_percent_se", c.same_top_percent_se},
               {"delta_p_mean", c.delta_p_mean},
               {"delta_p_rms", c.delta_p_rms}});
  return json;
}

}  // namespace kerf::cli
