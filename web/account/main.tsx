/**
 * The customer's account: the balance, its history, and packages to buy.
 * @module
 */

import { render } from "preact";
import { loadConfiguration } from "../shared/configuration.ts";
import { App, loadContent } from "./app.tsx";
import { loadSpeech, preferredLanguage } from "./language.ts";
import { readOpening } from "./proof.ts";

const learning = loadSpeech(preferredLanguage());
const configuration = await loadConfiguration();
const opening = readOpening(configuration);
// A link from the chat that is opened in this tab changes nothing but the part behind the "#".
addEventListener("hashchange", () => {
  if (location.hash) location.reload();
});
const content = loadContent(configuration, opening.proof);
render(
  <App {...{ configuration, opening, content }} speech={await learning} />,
  document.querySelector("#page") as Element,
);
