/**
 * The entry of the page.
 * @module
 */

import { render } from "preact";
import { loadConfiguration } from "../shared/configuration.ts";

const configuration = await loadConfiguration();
render(<h1>{configuration.seller_name}</h1>, document.querySelector("#page") as Element);
