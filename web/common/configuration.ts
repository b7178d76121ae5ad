/**
 * What the page knows of the project that it belongs to: `config.json` beside the document.
 * @module
 */

/** See `PageConfiguration` in `local/pages/pages.ts`, which the build writes. */
export interface Configuration {
  readonly supabase_url: string;
  readonly publishable_key: string;
  readonly seller_name: string;
  readonly checkout_url: string;
  readonly bot_number?: string;
}

/** Reads the configuration. The document preloads it, so this does not wait for another round trip. */
export async function loadConfiguration(): Promise<Configuration> {
  const response = await fetch("config.json");
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  return await response.json();
}
