/**
 * The customer's account: the balance, its history, and packages to buy.
 * @module
 */

import { render } from "preact";
import { loadConfiguration } from "../shared/configuration.ts";
import { App } from "./app.tsx";
import { readOpening } from "./proof.ts";

const configuration = await loadConfiguration();
const opening = readOpening(configuration);
// A link from the chat that is opened in this tab changes nothing but the part behind the "#".
addEventListener("hashchange", () => location.reload());
render(<App configuration={configuration} opening={opening} />, document.body);
