const { contextBridge, ipcRenderer } = require('electron')

contextBridge.exposeInMainWorld('search', (query) => ipcRenderer.invoke('search', query))
