"""What InfluxDB's clients put into URLs."""

from pydantic import ConfigDict, Field

from services.gateway.web.schemas.base import Query


class InfluxWriteQuery(Query):
    """Of a write; those that name a place in an InfluxDB are taken and not looked at."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    precision: str = Field("ns", description="Unit of the timestamps: ns, us, ms, s, m or h.")
    db: str = Field("", description="Not looked at; so are rp, org, bucket and others.")


class InfluxQuery(Query):
    """Of a query."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    q: str = Field("", description="The statement; CREATE DATABASE is the only one.")
