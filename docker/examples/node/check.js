require("http").get("http://127.0.0.1:8000", (response) => {
  let text = "";
  response.on("data", (part) => (text += part));
  response.on("end", () => process.exit(text.includes("from Node") ? 0 : 1));
});
