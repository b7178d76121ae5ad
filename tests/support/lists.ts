/**
 * Items of lists that a test relies on, with an error that says what is missing.
 * @module
 */

/** The only item of a list. */
export function one<Item>(items: readonly Item[]): Item {
  if (items.length !== 1) throw new Error(`Expected exactly one item, got ${items.length}`);
  return at(items, 0);
}

/** The first item of a list that may have more. */
export function first<Item>(items: readonly Item[]): Item {
  return at(items, 0);
}

/** The item at an index, counted from 0; a negative index counts from the end. */
export function at<Item>(items: readonly Item[], index: number): Item {
  if (items.length === 0 || index >= items.length || index < -items.length) {
    throw new Error(`Expected an item at index ${index} of ${items.length}`);
  }
  return items.at(index) as Item;
}
