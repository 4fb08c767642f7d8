// Starts the page.
import { mount } from "svelte";
import App from "./App.svelte";
import "./styles/tokens.css";
import "./styles/page.css";
import "./styles/controls.css";
import "./styles/tables.css";

mount(App, { target: document.getElementById("page")! });
