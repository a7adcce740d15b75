"""Which files of this machine a configuration may name: what a file holds may be sent to whoever the configuration names."""

from dataclasses import replace
from pathlib import PurePath
from typing import Final

from services.common.errors import FieldError
from services.metrics.domain.scrape.job import HttpOptions, ScrapeJob

MAX_PATH_CHARACTERS: Final = 1000


class FilePaths:
    """Makes the paths of a configuration absolute.

    Args:
        base: what relative paths are relative to.
        only_below: refuse every path that is not below it. A configuration that the machine's administrator wrote may name any file;
            one that came through the API may not, for it could have any file sent to any address.
    """

    def __init__(self, base: PurePath, *, only_below: bool) -> None:
        self._base = base
        self._only_below = only_below

    def resolved(self, job: ScrapeJob, problems: list[FieldError]) -> ScrapeJob:
        """The job with its paths made absolute; what it may not name is added to the problems."""
        return replace(
            job,
            http=self._http(job.http, "", problems),
            file_discoveries=tuple(
                replace(found, files=tuple(self._path(path, f"file_sd_configs[{place}].files", problems) for path in found.files))
                for place, found in enumerate(job.file_discoveries)
            ),
            http_discoveries=tuple(
                replace(found, http=self._http(found.http, f"http_sd_configs[{place}].", problems))
                for place, found in enumerate(job.http_discoveries)
            ),
        )

    def _http(self, http: HttpOptions, at: str, problems: list[FieldError]) -> HttpOptions:
        basic, authorization, tls = http.basic_auth, http.authorization, http.tls
        if basic is not None:
            path = self._path(basic.password_file, f"{at}basic_auth.password_file", problems)
            basic = replace(basic, password_file=path)
        if authorization is not None:
            path = self._path(authorization.credentials_file, f"{at}authorization.credentials_file", problems)
            authorization = replace(authorization, credentials_file=path)
        tls = replace(
            tls,
            ca_file=self._path(tls.ca_file, f"{at}tls_config.ca_file", problems),
            cert_file=self._path(tls.cert_file, f"{at}tls_config.cert_file", problems),
            key_file=self._path(tls.key_file, f"{at}tls_config.key_file", problems),
        )
        return replace(http, basic_auth=basic, authorization=authorization, tls=tls)

    def _path(self, text: str, field: str, problems: list[FieldError]) -> str:
        if not text:
            return ""
        path = self._base / text
        if len(text) > MAX_PATH_CHARACTERS or not text.isprintable():
            problems.append(FieldError(field, "is no path of a file"))
        elif self._only_below and (".." in path.parts or not path.is_relative_to(self._base)):
            problems.append(FieldError(field, f"must be below {self._base}, where a job made through the API may name files"))
        return str(path)
