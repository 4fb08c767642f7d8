"""Puts our SDK in the place of upstream's in every interpreter that a test starts, the one of the tests included."""

import aliased_sdk  # type: ignore[import-not-found] # on the path of the run

aliased_sdk.install()
