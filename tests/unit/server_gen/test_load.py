from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from services.server_gen.domain.holidays import Calendar
from services.server_gen.domain.jobs import Jobs
from services.server_gen.domain.load import MAX_LEVEL, MIN_LEVEL, SiteLoad
from services.server_gen.domain.noise import Floats, mix
from services.server_gen.domain.roles import DAY
from services.server_gen.domain.roster import roster
from services.server_gen.domain.sites import SEOUL, TOKYO, Site

SEED = mix(np.array([5], dtype=np.uint64))
KST = ZoneInfo("Asia/Seoul")


def at(year: int, month: int, day: int, zone: ZoneInfo = KST) -> float:
    return datetime(year, month, day, tzinfo=zone).timestamp()


def load(site: Site = SEOUL, extra: tuple[date, ...] = ()) -> SiteLoad:
    return SiteLoad(SEED, 0, site, Calendar(site.country, extra))


def of_day(start: float, site_load: SiteLoad | None = None) -> Floats:
    """Hourly means of the level over a day."""
    return np.asarray((site_load or load()).level(start + 60.0 * np.arange(1440.0)).reshape(24, 60).mean(axis=1))


def test_people_work_by_day_sleep_by_night_and_come_back_in_the_evening() -> None:
    hours = of_day(at(2026, 11, 18))
    assert hours[2:5].mean() < 0.25 * hours[13:17].mean()
    assert hours[12] < min(hours[11], hours[14])  # lunch
    assert hours[18] < hours[15]
    assert hours[20] > hours[18] * 0.9


def test_weekends_are_quieter() -> None:
    assert of_day(at(2026, 11, 21)).mean() < 0.8 * of_day(at(2026, 11, 19)).mean()


def test_holidays_are_like_sundays() -> None:
    chuseok, plain = of_day(at(2026, 9, 25)), of_day(at(2026, 9, 18))
    assert chuseok[9:18].mean() < 0.65 * plain[9:18].mean()
    # Friday in Korea; people in Japan are at work.
    japan = of_day(at(2026, 9, 25), load(TOKYO))
    assert japan[9:18].mean() > 1.3 * chuseok[9:18].mean()


def test_a_date_of_the_house_is_a_holiday() -> None:
    day = at(2026, 11, 19)
    assert of_day(day, load(extra=(date(2026, 11, 19),)))[9:18].mean() < 0.7 * of_day(day)[9:18].mean()


def test_a_zone_with_summer_time_keeps_its_office_hours() -> None:
    berlin = Site("berlin-1", "Europe/Berlin", "DE")
    zone = ZoneInfo(berlin.zone)
    for month in (2, 7):
        hours = of_day(at(2026, month, 15 if month == 7 else 18, zone), load(berlin))
        assert hours[5] < 0.4 * hours[10]
        assert hours[10] > 1.2


def test_a_year_is_bounded_and_its_average_is_about_one() -> None:
    level = load().level(at(2026, 1, 1) + 1800.0 * np.arange(2 * 365 * 48.0))
    assert level.min() >= MIN_LEVEL
    assert level.max() <= MAX_LEVEL
    assert 0.9 < level.mean() < 1.05


def test_sites_and_seeds_have_chances_of_their_own() -> None:
    times = at(2026, 11, 18) + 60.0 * np.arange(1440.0)
    plain = load().level(times)
    assert (SiteLoad(SEED, 1, SEOUL, Calendar("KR")).level(times) != plain).mean() > 0.99
    assert (SiteLoad(mix(SEED), 0, SEOUL, Calendar("KR")).level(times) != plain).mean() > 0.99


def test_surges_come_and_go() -> None:
    level = load().level(at(2026, 6, 1) + 60.0 * np.arange(60 * 1440.0))
    quick = level[10:] / level[:-10]
    assert (quick > 1.12).sum() > 10
    assert abs(np.diff(level)).max() < 0.3


def test_work_is_the_integral_of_the_level_however_it_is_asked() -> None:
    times = at(2026, 11, 18) + np.arange(0.0, 2 * DAY, 10.0)
    day = int(times[0] // DAY)
    level, work = load().level_and_work(times, day)
    summed = ((level[1:] + level[:-1]) / 2 * 10.0).sum()
    assert work[-1] - work[0] == pytest.approx(summed, rel=1e-9)
    assert (np.diff(work) > 0.0).all()
    # From another origin and in pieces: the same difference to the bit.
    other = load()
    pieces = [other.level_and_work(times[k : k + 777], day - 5)[1] for k in range(0, len(times), 777)]
    assert (np.concatenate(pieces) - pieces[0][0]).tolist() == (work - work[0]).tolist()


def test_jobs_do_the_same_work_each_time_and_tell_it_exactly() -> None:
    servers = tuple(roster(20))
    jobs = Jobs(mix(np.arange(20, dtype=np.uint64)), servers)
    times = at(2026, 11, 18) + np.arange(0.0, 3 * DAY, 5.0)
    rate, amount = jobs.run(times)
    for channel, values in rate.items():
        assert values.min() >= 0.0
        summed = ((values[:, 1:] + values[:, :-1]) / 2 * 5.0).sum(axis=1)
        np.testing.assert_allclose(amount[channel][:, -1] - amount[channel][:, 0], summed, rtol=2e-3, atol=1e-6)
    batch = [server.role.name for server in servers].index("batch")
    local = (times + 9 * 3600.0) % DAY / 3600.0
    assert rate["cpu"][batch, (local > 2.5) & (local < 4.0)].mean() > 0.35
    assert rate["cpu"][batch, (local > 17.0) & (local < 23.0)].mean() < 0.05


def test_jobs_of_some_servers_are_those_of_all() -> None:
    jobs = Jobs(mix(np.arange(20, dtype=np.uint64)), tuple(roster(20)))
    times = at(2026, 11, 18) + np.arange(0.0, DAY, 300.0)
    where = np.array([8, 4, 0])
    rate, amount = jobs.run(times)
    some_rate, some_amount = jobs.take(where).run(times)
    for channel in rate:
        assert some_rate[channel].tobytes() == rate[channel][where].tobytes()
        assert some_amount[channel].tobytes() == amount[channel][where].tobytes()
