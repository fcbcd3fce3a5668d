"""Published vectors, and scipy.stats as the oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_aiperf.judging import statistics as st


@pytest.mark.parametrize(
    ("percentile", "confidence", "needed"),
    [(90, 0.95, 29), (95, 0.95, 59), (99, 0.95, 299), (90, 0.99, 44), (95, 0.99, 90), (99, 0.99, 459)],
)
def test_it_knows_the_fewest_samples_for_an_upper_bound_of_a_percentile(percentile, confidence, needed):
    assert st.fewest_samples(percentile, confidence) == needed
    assert st.at_most(0, needed, 1 - percentile / 100) <= 1 - confidence
    assert st.at_most(0, needed - 1, 1 - percentile / 100) > 1 - confidence


def test_it_finds_tangos_published_interval():
    assert st.tango(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize(("wrong", "right", "count"), [(1, 7, 21), (0, 0, 10), (3, 3, 100), (0, 4, 50), (10, 0, 10)])
def test_it_mirrors_tangos_interval_when_the_sides_are_swapped(wrong, right, count):
    low, high = st.tango(wrong, right, count)
    other_low, other_high = st.tango(right, wrong, count)
    assert (other_low, other_high) == pytest.approx((-high, -low), abs=1e-12)
    assert -1 <= low <= (wrong - right) / count <= high <= 1


def test_it_widens_tangos_interval_with_the_confidence():
    narrow, wide = st.tango(12, 5, 200, confidence=0.9), st.tango(12, 5, 200, confidence=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_it_covers_the_true_difference_as_often_as_tangos_interval_promises():
    random = np.random.default_rng(7)
    hits, rounds = 0, 600
    for _ in range(rounds):
        wrong, right, _ = random.multinomial(300, (0.06, 0.03, 0.91))
        low, high = st.tango(int(wrong), int(right), 300)
        hits += low <= 0.03 <= high
    assert hits / rounds > 0.95 - 3 * math.sqrt(0.95 * 0.05 / rounds)


@pytest.mark.parametrize(("wrong", "right"), [(31, 5), (5, 31), (1, 0), (8, 8), (200, 150)])
def test_it_agrees_with_the_binomial_distribution_on_mcnemars_mid_p(wrong, right):
    flips = stats.binom(wrong + right, 0.5)
    assert st.mid_p(wrong, right) == pytest.approx(flips.sf(wrong) + flips.pmf(wrong) / 2, rel=1e-9)


def test_it_calls_no_flips_and_as_many_either_way_an_even_chance():
    assert st.mid_p(0, 0) == 0.5
    assert st.mid_p(9, 9) == pytest.approx(0.5)


@pytest.mark.parametrize(("over", "count", "share"), [(0, 59, 0.05), (7, 100, 0.05), (100, 100, 0.5), (3, 20, 0.1)])
def test_it_agrees_with_the_binomial_distribution_on_both_tails(over, count, share):
    assert st.at_most(over, count, share) == pytest.approx(stats.binom.cdf(over, count, share))
    assert st.at_least(over, count, share) == pytest.approx(stats.binom.sf(over - 1, count, share))


def test_it_needs_more_examples_for_a_smaller_margin_and_more_flips():
    assert st.needed_examples(0.10, 0.01) == math.ceil((1.6448536 + 1.2815516) ** 2 * 0.10 / 0.01**2)
    assert st.needed_examples(0.10, 0.02) < st.needed_examples(0.10, 0.01) < st.needed_examples(0.20, 0.01)


def test_it_agrees_with_scipy_on_the_paired_t_test():
    random = np.random.default_rng(1)
    before, after = random.normal(0.8, 0.1, 40), random.normal(0.78, 0.1, 40)
    result = st.paired_t(list(before - after))
    oracle = stats.ttest_rel(before, after, alternative="greater")
    two_sided = stats.ttest_rel(before, after).confidence_interval(0.95)
    assert result.p == pytest.approx(oracle.pvalue)
    assert (result.low, result.high) == pytest.approx((two_sided.low, two_sided.high))


@pytest.mark.parametrize(("difference", "p"), [(0.25, 0.0), (-0.25, 1.0), (0.0, 0.5)])
def test_it_survives_differences_that_are_all_the_same(difference, p):
    result = st.paired_t([difference] * 5)
    assert (result.mean, result.low, result.high, result.p) == (difference, difference, difference, p)


def test_it_predicts_as_a_textbook_does_where_the_prior_is_the_sample_variance():
    logs = [0.1, 0.3, 0.2, 0.25]
    variance = float(np.var(logs, ddof=1))
    prediction = st.predict(st.summarise(logs), 0.5, None, prior=variance)
    assert prediction.shift == pytest.approx(0.5 - np.mean(logs))
    assert prediction.sd == pytest.approx(math.sqrt(variance * (1 + 1 / 4)))
    assert prediction.freedom == 4 + 3
    reach = stats.t.ppf(0.98, 7) * prediction.sd
    assert (prediction.low(0.98), prediction.high(0.98)) == pytest.approx(
        (prediction.shift - reach, prediction.shift + reach)
    )


def test_it_predicts_from_a_single_session_with_the_variance_of_the_suite_alone():
    history = st.summarise([1.0])
    assert (history.variance, history.freedom) == (0.0, 0)
    assert st.predict(history, 1.0, None, prior=0.0004).sd == pytest.approx(0.02 * math.sqrt(2))


def test_it_draws_a_variance_towards_the_suites_and_never_to_zero():
    assert st.moderate(0.0, 16, 0.0004) == pytest.approx((0.0004 * 4 / 20, 20))
    assert st.prior_variance(None) == 0.02**2
    assert st.prior_variance(0.0) == 0.005**2
    assert st.prior_variance(0.01) == 0.01


def test_it_follows_a_reference_workload_that_explains_the_spread():
    random = np.random.default_rng(3)
    covariates = random.normal(0, 0.1, 20)
    logs = covariates + random.normal(0, 0.003, 20)
    fitted, plain = st.summarise(logs, covariates), st.summarise(logs)
    oracle = stats.linregress(covariates, logs).slope
    assert fitted.slope == pytest.approx(oracle / (1 + 2 / 20))
    assert fitted.freedom == plain.freedom - 1 == 18
    residuals = (logs - logs.mean()) - fitted.slope * (covariates - covariates.mean())
    assert fitted.variance == pytest.approx((residuals**2).sum() / 18)
    assert fitted.variance < plain.variance / 10
    with_it = st.predict(fitted, 0.2, 0.2, prior=fitted.variance)
    assert abs(with_it.shift) < 0.03
    assert st.predict(plain, 0.2, 0.2, prior=fitted.variance).shift > 0.1


@pytest.mark.parametrize(
    ("slope", "expected"), [(-1.0, 0.0), (3.0, st.STEEPEST_SLOPE)], ids=["never negative", "never too steep"]
)
def test_it_clips_the_slope(slope, expected):
    covariates = np.linspace(-0.1, 0.1, 10)
    assert st.summarise(slope * covariates, covariates).slope == expected


@pytest.mark.parametrize("covariates", [[0.1, 0.2, 0.3, 0.4], [0.5] * 6], ids=["four sessions", "no variation"])
def test_it_does_not_fit_what_cannot_be_fitted(covariates):
    assert st.summarise([1.0 + c for c in covariates], covariates).covariate_spread is None


def test_it_is_less_sure_where_the_machine_is_unlike_any_session():
    covariates = np.linspace(-0.01, 0.01, 10)
    history = st.summarise(covariates, covariates)
    near, far = (st.predict(history, 0.0, c, prior=0.0004).sd for c in (0.0, 0.2))
    assert far > 3 * near


def test_it_expects_of_one_more_run_the_spread_of_todays():
    agreeing = st.predict_run([0.0, 0.001, -0.001], None, prior=0.0001)
    differing = st.predict_run([0.0, 0.3, -0.3], None, prior=0.0001)
    assert agreeing.shift == differing.shift == 0
    assert differing.sd > 5 * agreeing.sd
    assert st.predict_run([0.5], None, prior=0.0004).sd == pytest.approx(0.02 * math.sqrt(2))


def test_it_counts_correlated_values_for_less():
    random = np.random.default_rng(5)
    steps = random.normal(size=2000)
    walk = np.zeros(2000)
    for i in range(1, 2000):
        walk[i] = 0.5 * walk[i - 1] + steps[i]
    assert st.independent_share(walk) == pytest.approx((1 - 0.5) / (1 + 0.5), abs=0.06)
    assert st.independent_share(steps) > 0.85


@pytest.mark.parametrize("values", [[0.01] * 59, [1.0, 2.0] * 30, [3.0], [1.0, 2.0]])
def test_it_counts_constant_alternating_and_few_values_in_full(values):
    assert st.independent_share(values) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_theil_sen_agrees_with_scipy(seed):
    """Its two-sided 99 % interval has the one-sided 99.5 % bound."""
    random = np.random.default_rng(seed)
    values = np.round(random.normal(0, 3, 30) + 0.2 * np.arange(30), 0 if seed % 2 else 9)  # with ties and without
    expected = stats.theilslopes(values, alpha=0.99)
    found = st.theil_sen(values)
    assert found.estimate == pytest.approx(expected.slope)
    assert found.low == pytest.approx(expected.low_slope)


def test_what_never_changes_has_no_slope():
    assert st.theil_sen([5.0] * 30) == st.Slope(estimate=0.0, low=0.0)
    assert st.theil_sen([1.0, 2.0, 3.0]).low == -math.inf, "three points prove nothing"


@pytest.mark.parametrize("seed", range(6))
def test_theil_sen_counts_long_ties_as_scipy_does(seed):
    values = np.repeat(np.random.default_rng(seed).permutation(6), 8).astype(float) + np.arange(48) // 12
    expected = stats.theilslopes(values, alpha=0.99)
    assert st.theil_sen(values).low == pytest.approx(expected.low_slope)
