/**
 * Words that change with a number.
 * @module
 */

/** The forms of a word, by the names of Unicode's plural rules. */
export type Forms = Readonly<{ other: string } & Partial<Record<Intl.LDMLPluralRule, string>>>;

/** Returns what picks the form of a word for a number in a language. */
export function plurals(language: string): (count: number, forms: Forms) => string {
  const rules = new Intl.PluralRules(language);
  return (count, forms) => forms[rules.select(count)] ?? forms.other;
}
