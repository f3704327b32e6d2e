exports.root = __dirname
