"""A remote's address goes into tags: nobody's name, password or token does, whatever form the address has."""

from __future__ import annotations

import pytest

from fineforge.host.git import public_address

KEPT = [
    "https://github.com/shop/models.git",
    "https://host:8443/shop/models.git",
    "https://host/shop/models@v1",
    "https://[::1]:8443/shop",
    "https://host/cgi?repo=shop",
    "ssh://host:2222/~/models.git",
    "file:///home/a@b/models",
    "/home/a@b/models",
    "../x@y/models",
    "models",
    "C:\\work\\a@b",
    "C:/work/a@b",
    "host:shop/models.git",
    "github:shop/models@v1",
]

HIDDEN = {
    "https://bob:p@ssw0rd@host/shop": "https://host/shop",
    "https://ghp_SECRET@host/shop": "https://host/shop",
    "https://bob:SECRET@host:8443/shop?repo=a&private_token=SECRET": "https://host:8443/shop?repo=a",
    "https://host/shop?private_token=SECRET": "https://host/shop",
    "https://host/shop#access_token=SECRET": "https://host/shop",
    "https://host/shop?SECRET_key=SECRET;a=1": "https://host/shop?a=1",
    "https://bob:SEC/RET@host/shop": "https://host/shop",
    "https://bob:12/SECRET@host/shop": "https://host/shop",
    "https://bob:SEC?RET@host/shop": "https://host/shop",
    "https://bob@corp.com:SECRET@host/shop": "https://host/shop",
    "HTTPS://bob:SECRET@host/shop": "HTTPS://host/shop",
    "ssh://bob:SECRET@host:2222/shop": "ssh://host:2222/shop",
    "ssh://bob:SECRET@[::1]:2222/shop": "ssh://[::1]:2222/shop",
    "//bob:SECRET@host/shop": "//host/shop",
    "git@host:shop/models@v1": "host:shop/models@v1",
    "bob:SECRET@host:shop": "host:shop",
    "bob:p@SECRET@host:shop": "host:shop",
    "bob:p@SECRET:x@host:shop": "host:shop",
    "bob@corp.com:SECRET@host:shop": "host:shop",
    "bob:SEC/RET@host:shop": "host:shop",
    "bob:SECRET@host/shop": "host/shop",
    "bob:SECRET@[::1]:shop": "[::1]:shop",
    "codecommit::eu-west-1://bob:SECRET@shop": "codecommit::eu-west-1://shop",
    "gcrypt::bob:SECRET@host:shop": "gcrypt::host:shop",
}


@pytest.mark.parametrize("address", KEPT)
def test_an_address_without_secrets_stays(address: str) -> None:
    assert public_address(address) == address


@pytest.mark.parametrize("address", HIDDEN)
def test_secrets_are_left_out(address: str) -> None:
    assert public_address(address) == HIDDEN[address]
