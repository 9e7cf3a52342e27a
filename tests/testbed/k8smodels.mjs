// Checks manifests against the schemas of npm's kubernetes-models: k8smodels.mjs FILE… (in a folder with that package and js-yaml).
import fs from "fs";
import path from "path";
import { createRequire } from "module";
const require = createRequire(path.join(process.cwd(), "package.json"));
const yaml = require("js-yaml");
for (const file of process.argv.slice(2))
    for (const object of yaml.loadAll(fs.readFileSync(file, "utf8"))) {
        const models = require("kubernetes-models/" + object.apiVersion);
        try {
            new models[object.kind](object).validate();
            console.log(`ok - ${object.kind} of ${path.basename(file)} fits its schema`);
        } catch (error) {
            console.log(`not ok - ${object.kind} of ${path.basename(file)}: ${error.message.replace(/\n/g, "; ")}`);
            process.exitCode = 1;
        }
    }
