/**
 * The entry of the page.
 * @module
 */

import { render } from "preact";
import { loadConfiguration } from "../common/configuration.ts";
import { App } from "./app.tsx";

const configuration = await loadConfiguration();
render(<App configuration={configuration} />, document.querySelector("#page") as Element);
