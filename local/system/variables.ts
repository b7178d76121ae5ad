/**
 * Every environment variable of this project, defined once.
 *
 * `deno task docs` writes `.env.example` and the tables of docs/configuration.md from this list, and the
 * embedded stack learns from it which variables to pass on to the functions. A test compares it with
 * what the code reads.
 * @module
 */

/** Which part of the project a variable belongs to. Each part is a section of `.env.example`. */
export type VariablePart = "stack" | "secrets" | "options" | "platform";

/** One environment variable. */
export interface Variable {
  readonly name: string;
  readonly part: VariablePart;
  /** Sentences for people, in Markdown. */
  readonly description: string;
  /** What the embedded stack uses where nothing is set, in words or as the value itself. */
  readonly local: string;
  /** What the functions of a hosted project use where nothing is set. Only for their options. */
  readonly hosted?: string;
  /** What comes after `=` in `.env.example`; nothing where the file must not set the variable. */
  readonly example?: string;
}

/** What the embedded stack uses where nothing is set, as far as it is a plain value. */
export const DEFAULTS = {
  API_PORT: "54321",
  DB_PORT: "54322",
  RAZORPAY_PORT: "54323",
  ACCOUNT_PORT: "54324",
  CONSOLE_PORT: "54325",
  LOCAL_DIR: ".local",
} as const;

/**
 * The defaults of the functions for the embedded stack's own accounts, which are test data: a phone
 * number alone gives access to its account, and any page may call. Its Auth has no second factor.
 */
export const OPEN = {
  EMBEDDED_STACK: "1",
  FRONTEND_ACCESS: "public",
  ALLOWED_ORIGINS: "*",
  CONSOLE_SECOND_FACTOR: "off",
} as const;

/** The defaults for the accounts of a given project, which may be those of real people. */
export const CLOSED = {
  EMBEDDED_STACK: "",
  FRONTEND_ACCESS: "phone-proof",
  CONSOLE_SECOND_FACTOR: "required",
} as const;

/** In the order in which a reader meets them. */
export const VARIABLES: readonly Variable[] = [
  {
    name: "API_PORT",
    part: "stack",
    description: "Port of the API on 127.0.0.1. 0 takes any free port.",
    local: DEFAULTS.API_PORT,
    example: DEFAULTS.API_PORT,
  },
  {
    name: "DB_PORT",
    part: "stack",
    description: "Port of PostgreSQL. 0 takes any free port.",
    local: DEFAULTS.DB_PORT,
    example: DEFAULTS.DB_PORT,
  },
  {
    name: "RAZORPAY_PORT",
    part: "stack",
    description: "Port of the Razorpay stand-in. 0 takes any free port.",
    local: DEFAULTS.RAZORPAY_PORT,
    example: DEFAULTS.RAZORPAY_PORT,
  },
  {
    name: "ACCOUNT_PORT",
    part: "stack",
    description: "Port of the account page. 0 takes any free port.",
    local: DEFAULTS.ACCOUNT_PORT,
    example: DEFAULTS.ACCOUNT_PORT,
  },
  {
    name: "CONSOLE_PORT",
    part: "stack",
    description: "Port of the operators' console. 0 takes any free port.",
    local: DEFAULTS.CONSOLE_PORT,
    example: DEFAULTS.CONSOLE_PORT,
  },
  {
    name: "LOCAL_DIR",
    part: "stack",
    description: "Folder for data, generated secrets and `stack.env`.",
    local: DEFAULTS.LOCAL_DIR,
    example: DEFAULTS.LOCAL_DIR,
  },
  {
    name: "LOG_FORMAT",
    part: "stack",
    description:
      "`pretty`: lines for people; `json`: a line of JSON for each request, as a hosted " +
      "project logs.",
    local: "`pretty` in a terminal, else `json`",
    example: "",
  },
  {
    name: "POSTGRES_BIN",
    part: "stack",
    description: "A folder with `initdb` and `postgres`, version 15 or later, to use instead of " +
      "the programs from npm.",
    local: "from npm",
    example: "",
  },
  {
    name: "DATABASE_URL",
    part: "stack",
    description: "A database to use instead of the embedded one, as " +
      "`postgresql://user:password@host:port/database`. It is migrated when the stack starts. A " +
      "plain PostgreSQL database needs the URL of a superuser.",
    local: "embedded",
    example: "",
  },
  {
    name: "SUPABASE_URL",
    part: "stack",
    description: "A Supabase project to use instead of the embedded Data API. Needs the two keys " +
      "below. The project is migrated only if `DATABASE_URL` names its database as well.",
    local: "embedded",
    example: "",
  },
  {
    name: "SUPABASE_PUBLISHABLE_KEY",
    part: "stack",
    description: "That project's publishable key (`sb_publishable_...`).",
    local: "generated",
    example: "",
  },
  {
    name: "SUPABASE_SECRET_KEY",
    part: "stack",
    description: "That project's secret key (`sb_secret_...`).",
    local: "generated",
    example: "",
  },

  {
    name: "BOT_SECRET",
    part: "secrets",
    description:
      "What the bot sends in `x-bot-secret`: 32 random characters or more. Make one with " +
      "`node -p 'crypto.randomBytes(32).toString(\"base64url\")'`.",
    local: "generated",
    example: "",
  },
  {
    name: "RAZORPAY_KEY_ID",
    part: "secrets",
    description: "Id of a Razorpay API key, `rzp_test_...` or `rzp_live_...`. The embedded stack " +
      "accepts test keys only.",
    local: "that of the stand-in",
    example: "",
  },
  {
    name: "RAZORPAY_KEY_SECRET",
    part: "secrets",
    description: "That key's secret.",
    local: "that of the stand-in",
    example: "",
  },
  {
    name: "RAZORPAY_WEBHOOK_SECRET",
    part: "secrets",
    description: "The secret that you gave to the webhook in Razorpay's dashboard. It is not the " +
      "secret of the API key.",
    local: "generated",
    example: "",
  },
  {
    name: "ERASURE_SECRET",
    part: "secrets",
    description:
      "The key of the hashes by which people who were erased are recognized if they come " +
      "back, so that nobody gets the free credits twice: 32 random characters or more. It must never " +
      "get into the database. With another value, they all get the free credits again.",
    local: "generated",
    example: "",
  },

  {
    name: "EVENTS_SECRET",
    part: "secrets",
    description:
      "What signs the events that the bot is told: `whsec_` and 24 to 64 random bytes in " +
      "base64. Make one with " +
      '`node -p \'"whsec_" + crypto.randomBytes(32).toString("base64")\'`.',
    local: "generated",
    example: "",
  },

  {
    name: "FRONTEND_ACCESS",
    part: "options",
    description: "What a page must prove before it reads an account. `phone-proof`: a session of " +
      "Supabase Auth or a link from the chat. `public`: nothing, so that anyone who knows a phone " +
      "number can read its balance and history.",
    local:
      `\`${OPEN.FRONTEND_ACCESS}\`; \`${CLOSED.FRONTEND_ACCESS}\` with a given Supabase project`,
    hosted: "`phone-proof`",
    example: "",
  },
  {
    name: "ALLOWED_ORIGINS",
    part: "options",
    description: "The origins whose pages may call the functions for pages, separated by commas: " +
      "`https://one.example,https://two.example`. `*` allows all.",
    local: `\`${OPEN.ALLOWED_ORIGINS}\`; the account page's with a given Supabase project`,
    hosted: "none",
    example: "",
  },
  {
    name: "CONSOLE_ORIGIN",
    part: "options",
    description:
      "The one origin whose pages may call the operators' functions, `https://console.example`: the " +
      "operators' console. No other page may, and that page no other function.",
    local: "none",
    hosted: "none",
    example: "",
  },
  {
    name: "CONSOLE_SECOND_FACTOR",
    part: "options",
    description:
      "`required`: an operator has to sign in with a second factor. `off`: a password will do. A " +
      "hosted project requires it whatever is set here.",
    local: `\`${OPEN.CONSOLE_SECOND_FACTOR}\`, because its Auth has none; ` +
      `\`${CLOSED.CONSOLE_SECOND_FACTOR}\` with a given Supabase project`,
    hosted: "`required`",
    example: "",
  },
  {
    name: "FRONTEND_URL",
    part: "options",
    description:
      "The page that the links of bot-link open, and that customers come back to from a " +
      "payment.",
    local: "the account page that the stack serves",
    hosted: "bot-link and payment-return fail",
    example: "",
  },
  {
    name: "DEFAULT_COUNTRY",
    part: "options",
    description: "The country whose national phone numbers a page may send (ISO 3166-1 alpha-2).",
    local: "IN",
    hosted: "`IN`",
    example: "IN",
  },
  {
    name: "BOT_SECRET_PREVIOUS",
    part: "options",
    description: "The former bot secret, which stays valid during a rotation.",
    local: "none",
    hosted: "none",
    example: "",
  },
  {
    name: "RAZORPAY_WEBHOOK_SECRET_PREVIOUS",
    part: "options",
    description: "The former webhook secret, which stays valid during a rotation.",
    local: "none",
    hosted: "none",
    example: "",
  },
  {
    name: "EVENTS_URL",
    part: "options",
    description: "Where the bot is told of events: up to three addresses, separated by commas or " +
      "spaces. They begin with `https://`; on this machine, `http://127.0.0.1` will do.",
    local: "none",
    hosted: "nothing is sent",
    example: "",
  },
  {
    name: "EVENTS_SECRET_PREVIOUS",
    part: "options",
    description: "The former secret of events, which still signs them during a rotation.",
    local: "none",
    hosted: "none",
    example: "",
  },
  {
    name: "RAZORPAY_API_URL",
    part: "options",
    description:
      "Leave it unset. Only `https://api.razorpay.com` and the address of a stand-in on " +
      "the same machine are accepted.",
    local: "the stand-in",
    hosted: "`https://api.razorpay.com`",
    example: "",
  },

  {
    name: "SUPABASE_SECRET_KEYS",
    part: "platform",
    description: "The project's secret keys, as a JSON object of keys by name.",
    local: "generated",
  },
  {
    name: "SUPABASE_JWKS",
    part: "platform",
    description: "The public keys that sessions of Supabase Auth are checked against.",
    local: "generated",
  },
  {
    name: "EMBEDDED_STACK",
    part: "platform",
    description:
      "Set by the embedded stack for its own test data. Its only effect is that public " +
      "accounts cause no warning.",
    local: OPEN.EMBEDDED_STACK,
  },
  {
    name: "SUPABASE_SERVICE_ROLE_KEY",
    part: "platform",
    description: "The older form of the secret key, which is accepted as well.",
    local: "none",
  },
];

/** The variables of one part. */
export function variablesOf(part: VariablePart): Variable[] {
  return VARIABLES.filter((variable) => variable.part === part);
}
