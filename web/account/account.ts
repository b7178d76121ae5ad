/**
 * The account and the packages, as the backend has them.
 * @module
 */

import type { z } from "zod";
import type { creditHistory, transaction } from "shared/contract/credit-history.ts";
import type { packageSummary } from "shared/contract/package.ts";
import type { users } from "shared/contract/users.ts";
import { callFunction, selectRows } from "../common/backend.ts";
import type { Configuration } from "../common/configuration.ts";
import type { Proof } from "./proof.ts";

/** An entry of the history. */
export type Entry = z.output<typeof transaction>;
/** A package of credits. */
export type Package = z.output<typeof packageSummary>;
type History = z.output<(typeof creditHistory)["data"]>;
type Profile = z.output<(typeof users)["data"]>;

/** An account as the page shows it. */
export interface Account {
  readonly userId: string;
  readonly credits: number;
  readonly remaining: number;
  readonly reserved: number;
  readonly debt: number;
  readonly isFrozen: boolean;
  readonly pendingOrders: NonNullable<History["pending_orders"]>;
  /** How many entries there are in all. */
  readonly total: number;
  /** The newest first. */
  readonly entries: readonly Entry[];
  /** Where the next page begins; null if there is none. */
  readonly nextCursor: string | null;
}

const PAGE_SIZE = 20;

/** Loads an account with the first page of its history. */
export async function loadAccount(configuration: Configuration, proof: Proof): Promise<Account> {
  const userId = proof.userId ?? await findUserId(configuration, proof);
  const history = await loadHistory(configuration, proof, userId);
  return {
    userId,
    credits: history.credits,
    remaining: history.remaining_credits,
    reserved: history.reserved_credits,
    debt: history.debt_credits,
    isFrozen: history.frozen === true,
    pendingOrders: history.pending_orders ?? [],
    total: history.total,
    entries: history.transactions,
    nextCursor: history.next_cursor,
  };
}

/**
 * Returns the account with one more page of its history. It may change while that page loads, and is
 * returned as it is by then.
 */
export async function loadOlderEntries(
  configuration: Configuration,
  proof: Proof,
  latest: { readonly current: Account },
): Promise<Account> {
  const { userId, nextCursor } = latest.current;
  const history = await loadHistory(configuration, proof, userId, nextCursor);
  const account = latest.current;
  // The page is not the one that follows any more.
  if (account.nextCursor !== nextCursor) return account;
  return {
    ...account,
    entries: [...account.entries, ...history.transactions],
    nextCursor: history.next_cursor,
  };
}

/** Returns an account as it is now, with the older entries that were loaded before. */
export function withOlderEntries(fresh: Account, { entries, nextCursor }: Account): Account {
  const ids = new Set(fresh.entries.map(({ id }) => id));
  const older = entries.filter(({ id }) => !ids.has(id));
  // Without an entry in common, some in between are missing.
  if (older.length === entries.length) return fresh;
  return { ...fresh, entries: [...fresh.entries, ...older], nextCursor };
}

/** Loads the packages that are for sale, the cheapest first. */
export async function loadPackages(configuration: Configuration): Promise<readonly Package[]> {
  const rows = await selectRows<Package>(configuration, "packages", {
    select: "id,name,price,credits",
    order: "price",
  });
  // PostgreSQL's decimals may come as text.
  return rows.map((row) => ({ ...row, price: Number(row.price) }));
}

async function findUserId(configuration: Configuration, proof: Proof): Promise<string> {
  const path = `users/${encodeURIComponent(proof.phoneNumber ?? "")}`;
  return (await callFunction<Profile>(configuration, path, { headers: proof.headers })).data.id;
}

async function loadHistory(
  configuration: Configuration,
  { headers }: Proof,
  userId: string,
  cursor?: string | null,
): Promise<History> {
  const query = { limit: PAGE_SIZE, ...(cursor && { cursor }) };
  const path = `credit-history/${encodeURIComponent(userId)}`;
  return (await callFunction<History>(configuration, path, { headers, query })).data;
}
