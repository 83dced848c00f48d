import js from "@eslint/js";
import globals from "globals";

// gr.HTML runs a script with these names at hand.
const GIVEN = Object.fromEntries(["element", "trigger", "props", "server", "watch"].map((name) => [name, "readonly"]));

const strict = {
  ...js.configs.recommended.rules,
  eqeqeq: "error",
  "no-implicit-globals": "off", // scripts are the body of a function
  "no-shadow": "error",
  "no-unused-vars": ["error", { args: "after-used" }],
  "no-use-before-define": ["error", { functions: false, variables: false }],
  "no-var": "error",
  "prefer-const": "error",
};

export default [
  { ignores: ["tests/js/build/"] },
  {
    files: ["hff/page/static/*.js"],
    languageOptions: {
      sourceType: "script",
      parserOptions: { ecmaFeatures: { globalReturn: true } },
      globals: { ...globals.browser, ...GIVEN },
    },
    rules: strict,
  },
  {
    files: ["tests/js/*.js"],
    languageOptions: { sourceType: "module", globals: globals.node },
    rules: strict,
  },
  {
    files: ["tests/js/firefox.js"], // parts of it run in the page
    languageOptions: { globals: globals.browser },
  },
];
