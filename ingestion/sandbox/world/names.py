"""Words for synthetic people."""

from __future__ import annotations

FIRST_NAMES = (
    "Ada", "Alma", "Amir", "Anouk", "Basil", "Bianca", "Bruno", "Carmen", "Cato", "Celia", "Dario", "Dina",
    "Edda", "Elio", "Emre", "Fay", "Felix", "Flora", "Gaia", "Gideon", "Hanna", "Hugo", "Ida", "Ines", "Ivan",
    "Jana", "Jonas", "Juno", "Kaya", "Kian", "Lara", "Leon", "Lidia", "Luca", "Maia", "Malik", "Mara", "Milo",
    "Nadia", "Nils", "Nora", "Odin", "Olga", "Oscar", "Paula", "Pia", "Quinn", "Rafa", "Rhea", "Rosa",
    "Ruben", "Sami", "Selma", "Silas", "Tara", "Theo", "Uma", "Vera", "Viktor", "Willa", "Xenia", "Yara",
    "Zeno",
)  # fmt: skip

LAST_NAMES = (
    "Abbot", "Arden", "Ashby", "Barlow", "Birch", "Bloom", "Calder", "Carver", "Cove", "Dale", "Drake",
    "Ember", "Falk", "Fenn", "Fielding", "Frost", "Garner", "Glen", "Grove", "Hale", "Harrow", "Heath",
    "Holt", "Ingram", "Jarvis", "Keel", "Kirby", "Lark", "Linden", "Lowe", "Marsh", "Mercer", "Moss", "Nash",
    "North", "Oakes", "Orchard", "Page", "Penn", "Pike", "Quill", "Reed", "Ridge", "Rowan", "Sable", "Shaw",
    "Stone", "Sutter", "Thorne", "Tilden", "Underhill", "Vale", "Wade", "Ward", "Wells", "Wilder", "Yates",
)  # fmt: skip
