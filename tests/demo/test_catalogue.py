"""Catalogues that people bring: usual names of columns, money by decimal, and no claim that nobody made."""

import json
import os
import re
from pathlib import Path

import pytest

from shelftalk.demo.catalogue import ASSUMED_STOCK, load_catalogue, load_demo_store, load_searches
from shelftalk.demo.dice import Dice
from shelftalk.demo.store import Store
from shelftalk.errors import ConfigError

DATA = Path(os.environ.get("SHELFTALK_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def test_the_chinese_branch_is_whole_and_chinese() -> None:
    products = load_demo_store("zh").products
    skus = {product.sku for product in products}
    assert len(products) == len(skus) >= 50
    for product in products:
        words = " ".join((product.name, product.kind or "", product.brand or "", product.category))
        assert not re.search(r"[A-Za-z]", words), product
        assert product.points
        assert set(product.goes_with) <= skus - {product.sku}, product
        assert product.currency == "CNY"


def test_a_shopper_is_shown_around_what_they_can_read() -> None:
    english, chinese = load_demo_store().products, load_demo_store("zh").products
    store = Store([*english, *chinese], {}, Dice(1, "store"))
    assert set(store.branch("zh-CN").items) == {product.sku for product in chinese}
    assert set(store.branch("en-US").items) == {product.sku for product in english}
    brought = Store(english, {}, Dice(1, "store"))
    assert set(brought.branch("zh-CN").items) == set(brought.items), "a shop without Chinese goods shows what it has"


def test_the_demo_store_is_whole() -> None:
    products = load_demo_store().products
    assert len(products) >= 200
    assert len({product.category for product in products}) >= 12
    skus = {product.sku for product in products}
    assert len(skus) == len(products)
    assert all(product.price_minor > 0 and product.stock > 0 and product.points for product in products)
    assert all(set(product.goes_with) <= skus - {product.sku} for product in products)
    assert set(load_searches()) == {product.category for product in products}


def test_yaml_in_the_manner_of_the_aws_demo_store(tmp_path: Path) -> None:
    file = tmp_path / "products.yaml"
    file.write_text(
        "- id: 6579c22f\n  current_stock: 15\n  name: Mauve Leather Daypack with Straps\n  category: accessories\n"
        "  style: formal\n  description: >\n    This stylish, soft daypack is simply the best.\n  price: 129.99\n"
    )
    (product,) = load_catalogue(file).products
    assert (product.sku, product.price_minor, product.currency, product.stock) == ("6579c22f", 12_999, "USD", 15)
    assert (product.kind, product.category) == ("daypack", "accessories")
    assert product.points == ()


def test_json_with_a_list_inside_and_points_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    entry = {
        "sku": "A 1",
        "title": "Kettle",
        "price": "£1,299.50",
        "features": ["0.9 litres", "x" * 99],
        "brand": "Fell",
    }
    file.write_text(json.dumps({"total": 2, "products": [entry, {"sku": "A2", "title": "no price"}]}))
    catalogue = load_catalogue(file)
    (product,) = catalogue.products
    assert catalogue.skipped == 1
    assert (product.sku, product.price_minor, product.currency, product.brand) == ("A-1", 129_950, "GBP", "Fell")
    assert product.points == ("0.9 litres",)
    assert product.stock == ASSUMED_STOCK


def test_csv_with_quoted_cells_markup_and_other_names(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text(
        "Product Name,uniq_id,Product Category,price,highlights,description\n"
        '"Road Bike, Black Pro",b1,"Sport > Cycling",1200,"carbon fork; 8.2 kg, disc brakes","<p>Fast &amp; light</p>"\n'
        "Broken,b2,Sport,free,,\n"
        ",b3,Sport,5,,\n"
    )
    catalogue = load_catalogue(file, "JPY")
    (product,) = catalogue.products
    assert catalogue.skipped == 2
    assert (product.name, product.price_minor, product.currency) == ("Road Bike, Black Pro", 1200, "JPY")
    assert product.points == ("carbon fork", "8.2 kg", "disc brakes")
    assert (product.category, product.kind, product.description) == ("Sport/Cycling", "bike", "Fast & light")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Adventure-Ready Expedition Backpack", "backpack"),
        ("Rustic Ceramic Bowl Set", "bowl set"),
        ("Ergonomic Office Chair Pro", None),
        ("Galaxy S9+", None),
        ("全棉四件套", None),
    ],
)
def test_the_noun_of_a_name(tmp_path: Path, name: str, kind: str | None) -> None:
    file = tmp_path / "p.json"
    file.write_text(json.dumps([{"id": 1, "name": name, "price": 1}]))
    assert load_catalogue(file).products[0].kind == kind


@pytest.mark.parametrize(
    ("file_name", "content"),
    [("p.yaml", "- just\n- words\n"), ("p.json", "{"), ("p.txt", "x"), ("p.csv", "id,name\n1,x\n"), ("p.yaml", "a: [")],
)
def test_what_is_no_catalogue_says_so(tmp_path: Path, file_name: str, content: str) -> None:
    (tmp_path / file_name).write_text(content)
    with pytest.raises(ConfigError, match=file_name):
        load_catalogue(tmp_path / file_name)


@pytest.mark.skipif(not DATA.is_dir(), reason="no real catalogues here; SHELFTALK_DATA names their folder")
def test_real_catalogues_load() -> None:
    store = load_catalogue(DATA / "aws-retail-demo-store" / "products.yaml")
    assert len(store.products) == 2465
    assert store.skipped == 0
    for file in (
        "dummyjson/products.json",
        "dotnet-eshop/catalog.json",
        "amazon-uk-toys/toys.csv",
        "flipkart/product.csv",
    ):
        assert len(load_catalogue(DATA / file).products) > 90


def test_a_name_that_ends_in_no_noun_leaves_it_to_the_category(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    entries = [
        ("Dior J'adore", "fragrances"),
        ("Racer Tank-XS-Purple", "tops"),
        ("Zoe Tank-S-Yellow", "tops"),
        ("Squeezer Yellow", "home"),
    ]
    file.write_text(
        json.dumps([{"id": n, "name": name, "category": c, "price": 1} for n, (name, c) in enumerate(entries)])
    )
    assert [product.kind for product in load_catalogue(file).products] == [None, "tank", "tank", "squeezer"]
